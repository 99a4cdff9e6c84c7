"""Keras's learning-rate schedules: the rate of every step, torch's closest scheduler, and `schedule_like`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from compare.report.results import Results, control, exact, measured
from frameworks import schedule_like

_STEPS = 60
_LOOKED_AT = sorted({*range(0, _STEPS, 3), 10, 11, 25, 26})
_ALLOWED = 2**-23
"""The limit: one ulp of float32, in which Keras computes the rate, relative to the largest rate."""


@dataclass(frozen=True)
class Schedule:
    """A Keras schedule and torch's closest.

    Args:
        keras: code of the schedule.
        torch: code of the closest scheduler, for an optimizer with the first rate; its arguments are chosen to match.
        says: the difference that remains.
        matches: whether no difference remains.
    """

    keras: str
    torch: str
    says: str = "none"
    matches: bool = True


SCHEDULES = (
    Schedule("ExponentialDecay(0.01, decay_steps=37, decay_rate=0.93)", "ExponentialLR(optimizer, gamma=0.93 ** (1 / 37))"),
    Schedule(
        "ExponentialDecay(0.01, decay_steps=7, decay_rate=0.93, staircase=True)", "StepLR(optimizer, step_size=7, gamma=0.93)"
    ),
    Schedule(
        "PiecewiseConstantDecay([10, 25], [0.01, 0.001, 0.0001])",
        "MultiStepLR(optimizer, milestones=[10, 25], gamma=0.1)",
        "Keras still has the old rate at the boundary itself: use `milestones=[11, 26]`",
        matches=False,
    ),
    Schedule(
        "PiecewiseConstantDecay([10, 25], [0.01, 0.001, 0.0001])", "MultiStepLR(optimizer, milestones=[11, 26], gamma=0.1)"
    ),
    Schedule(
        "PolynomialDecay(0.01, decay_steps=23, end_learning_rate=0.0, power=0.7)",
        "PolynomialLR(optimizer, total_iters=23, power=0.7)",
    ),
    Schedule(
        "PolynomialDecay(0.01, decay_steps=23, cycle=True)",
        "PolynomialLR(optimizer, total_iters=23, power=1.0)",
        "torch's ends at zero, Keras's by default at 0.0001; torch's does not start again",
        matches=False,
    ),
    Schedule(
        "InverseTimeDecay(0.01, decay_steps=7, decay_rate=0.3)",
        "LambdaLR(optimizer, lambda step: 1 / (1 + 0.3 * step / 7))",
    ),
    Schedule(
        "CosineDecay(0.01, decay_steps=40, alpha=0.1)",
        "CosineAnnealingLR(optimizer, T_max=40, eta_min=0.001)",
        "after `decay_steps` Keras's stays at its end, and torch's rises again",
        matches=False,
    ),
    Schedule(
        "CosineDecay(0.0, decay_steps=30, warmup_target=0.01, warmup_steps=9)",
        "SequentialLR(optimizer, [LinearLR(optimizer, 1e-9, total_iters=9), CosineAnnealingLR(optimizer, T_max=30)], [9])",
        "the same, and torch's warm-up cannot start at zero",
        matches=False,
    ),
    Schedule(
        "CosineDecayRestarts(0.01, first_decay_steps=11, alpha=0.1)",
        "CosineAnnealingWarmRestarts(optimizer, T_0=11, T_mult=2, eta_min=0.001)",
    ),
    Schedule(
        "CosineDecayRestarts(0.01, first_decay_steps=11, m_mul=0.5)",
        "CosineAnnealingWarmRestarts(optimizer, T_0=11, T_mult=2)",
        "torch's starts each cycle at the first rate",
        matches=False,
    ),
)


def run_schedules() -> Results:
    """Compare the rates with Keras's."""
    return {f"{index:02}": _run_schedule(schedule) for index, schedule in enumerate(SCHEDULES)}


def _run_schedule(schedule: Schedule) -> Results:
    import keras
    import torch

    keras_schedule = eval(f"schedules.{schedule.keras}", {"schedules": keras.optimizers.schedules})  # noqa: S307  own code
    expected = [float(keras.ops.convert_to_numpy(keras_schedule(keras.ops.convert_to_tensor(step)))) for step in _LOOKED_AT]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=max(expected))
    names = {**vars(torch.optim.lr_scheduler), "optimizer": optimizer}
    stock = _rates(optimizer, eval(schedule.torch, names))  # noqa: S307  own code
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=1.0)
    ours = _rates(optimizer, schedule_like(keras_schedule, optimizer))
    distances = [
        max(abs(one - other) for one, other in zip(expected, rates, strict=True)) / max(expected) for rates in (stock, ours)
    ]
    return {
        "keras": exact(schedule.keras),
        "torch": exact(schedule.torch),
        "says": exact(schedule.says),
        "stock": measured(distances[0], 8 * _ALLOWED) if schedule.matches else control(distances[0]),
        "ours": measured(distances[1], _ALLOWED),
    }


def _rates(optimizer: Any, scheduler: Any) -> list[float]:
    rates = []
    for _ in range(_STEPS):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return [rates[step] for step in _LOOKED_AT]
