"""Keras's learning-rate schedules in torch: the rate as a function of the step, in Keras's dtype and order of operations.

They match Keras bit for bit, except on TensorFlow: cosines, and divisions by constants in the graph that `fit` compiles, may
differ by one float32 ulp.

Source: `__call__` in keras/src/optimizers/schedules/learning_rate_schedule.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler

from frameworks.errors import NoCounterpartError

Number = torch.Tensor
Settings = Mapping[str, Any]
Cast = Callable[[float], Number]


@dataclass(frozen=True)
class Schedule:
    """A learning rate as a function of the step.

    Attributes:
        kind: the name of the Keras class.
        settings: the configuration of the Keras schedule.
        dtype: the dtype in which the rate is computed.
    """

    kind: str
    settings: Settings
    dtype: torch.dtype

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step; steps count from 0."""
        return float(_FORMULAS[self.kind](self.settings, step, lambda value: torch.tensor(value, dtype=self.dtype)))


class ScheduleLR(LRScheduler):
    """A Keras schedule as a torch scheduler; call its `step` after each step of the optimizer, not after each epoch."""

    def __init__(self, optimizer: torch.optim.Optimizer, schedule: Schedule, last_epoch: int = -1) -> None:
        """Set the rate of the first step.

        Args:
            optimizer: the optimizer whose learning rates are set, in every group.
            schedule: the learning rate as a function of the step.
            last_epoch: the number of the last step, -1 before the first, as in torch's schedulers.
        """
        self.schedule = schedule
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float | Number]:
        """Return the learning rate of the next step, for each group."""
        return [self.schedule(self.last_epoch)] * len(self.optimizer.param_groups)

    def state_dict(self) -> dict[str, Any]:
        """Return the scheduler's progress, without the schedule itself."""
        return {name: value for name, value in super().state_dict().items() if name != "schedule"}


def schedule_of(keras_schedule: Any, dtype: torch.dtype) -> Schedule:
    """Convert a Keras schedule.

    Args:
        keras_schedule: an instance of a built-in class, not of a subclass.
        dtype: the dtype in which Keras computes it.

    Raises:
        NoCounterpartError: for any other schedule.
    """
    kind = type(keras_schedule)
    if not kind.__module__.startswith("keras.src.") or kind.__name__ not in _FORMULAS:
        raise NoCounterpartError.because(
            "the learning-rate schedule",
            must=f"be one of Keras's own: {', '.join(_FORMULAS)}",
            but=f"is a {kind.__name__} of {kind.__module__}",
            remedy="Write it as a function of the step and pass that to torch.optim.lr_scheduler.LambdaLR.",
        )
    config = keras_schedule.get_config()
    return Schedule(kind.__name__, {name: config[name] for name in config if name != "name"}, dtype)


def _exponential(settings: Settings, step: int, cast: Cast) -> Number:
    done = _done(settings, step, cast)
    return cast(settings["initial_learning_rate"]) * cast(settings["decay_rate"]) ** done


def _inverse_time(settings: Settings, step: int, cast: Cast) -> Number:
    done = _done(settings, step, cast)
    return cast(settings["initial_learning_rate"]) / (1 + cast(settings["decay_rate"]) * done)


def _done(settings: Settings, step: int, cast: Cast) -> Number:
    done = cast(step) / cast(settings["decay_steps"])
    return done.floor() if settings["staircase"] else done


def _piecewise(settings: Settings, step: int, cast: Cast) -> Number:
    # Keras casts each boundary to the integer dtype of the step.
    passed = sum(step > int(boundary) for boundary in settings["boundaries"])
    return cast(settings["values"][passed])


def _polynomial(settings: Settings, step: int, cast: Cast) -> Number:
    now, steps, end = cast(step), cast(settings["decay_steps"]), cast(settings["end_learning_rate"])
    if settings["cycle"]:
        steps = steps * (now / steps).ceil().clamp(min=1)
    left = 1 - now.minimum(steps) / steps
    return (cast(settings["initial_learning_rate"]) - end) * left ** cast(settings["power"]) + end


def _cosine(settings: Settings, step: int, cast: Cast) -> Number:
    initial, steps, now = cast(settings["initial_learning_rate"]), cast(settings["decay_steps"]), cast(step)
    if settings["warmup_target"] is None:
        return _half_wave(settings["alpha"], now.minimum(steps) / steps, initial, cast)
    target, warmup = cast(settings["warmup_target"]), cast(settings["warmup_steps"])
    now = now.minimum(steps + warmup)
    if now < warmup:
        return (target - initial) * (now / warmup) + initial
    return _half_wave(settings["alpha"], (now - warmup) / steps, target, cast)


def _half_wave(alpha: float, done: Number, start: Number, cast: Cast) -> Number:
    wave = 0.5 * (1 + (cast(math.pi) * done).cos())
    return start * ((1 - alpha) * wave + alpha)


def _cosine_restarts(settings: Settings, step: int, cast: Cast) -> Number:
    done = cast(step) / cast(settings["first_decay_steps"])
    longer, alpha = cast(settings["t_mul"]), cast(settings["alpha"])
    if longer == 1:
        restarts = done.floor()
        done = done - restarts
    else:
        restarts = ((1 - done * (1 - longer)).log() / longer.log()).floor()
        done = (done - (1 - longer**restarts) / (1 - longer)) / longer**restarts
    wave = 0.5 * cast(settings["m_mul"]) ** restarts * (1 + (cast(math.pi) * done).cos())
    return cast(settings["initial_learning_rate"]) * ((1 - alpha) * wave + alpha)


_FORMULAS: Mapping[str, Callable[[Settings, int, Cast], Number]] = MappingProxyType(
    {
        "ExponentialDecay": _exponential,
        "PiecewiseConstantDecay": _piecewise,
        "PolynomialDecay": _polynomial,
        "InverseTimeDecay": _inverse_time,
        "CosineDecay": _cosine,
        "CosineDecayRestarts": _cosine_restarts,
    }
)
