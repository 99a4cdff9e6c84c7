"""Keras's learning-rate schedules in torch.

Covers: `frameworks/keras_in_torch/optimizers/schedules.py`.
"""

from typing import Any

import numpy as np
import pytest

from frameworks import optimizer_like, schedule_like

SCHEDULES: list[tuple[str, dict[str, Any]]] = [
    ("ExponentialDecay", {"initial_learning_rate": 0.01, "decay_steps": 37, "decay_rate": 0.93}),
    ("ExponentialDecay", {"initial_learning_rate": 0.01, "decay_steps": 7, "decay_rate": 0.93, "staircase": True}),
    ("PiecewiseConstantDecay", {"boundaries": [10, 25], "values": [0.1, 0.03, 0.001]}),
    ("PolynomialDecay", {"initial_learning_rate": 0.01, "decay_steps": 23, "power": 0.7}),
    ("PolynomialDecay", {"initial_learning_rate": 0.01, "decay_steps": 23, "cycle": True}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.01, "decay_steps": 7, "decay_rate": 0.3}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.01, "decay_steps": 7, "decay_rate": 0.3, "staircase": True}),
    ("CosineDecay", {"initial_learning_rate": 0.01, "decay_steps": 40, "alpha": 0.1}),
    ("CosineDecay", {"initial_learning_rate": 0.0, "decay_steps": 30, "warmup_target": 0.02, "warmup_steps": 9}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.01, "first_decay_steps": 11, "alpha": 0.1}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.01, "first_decay_steps": 11, "t_mul": 1.0, "m_mul": 0.7}),
]


@pytest.mark.backend
@pytest.mark.parametrize(("name", "settings"), SCHEDULES, ids=[f"{name}{len(settings)}" for name, settings in SCHEDULES])
def test_the_learning_rate_of_every_step_is_that_of_keras(name: str, settings: dict[str, Any]) -> None:
    import keras
    import torch

    schedule = getattr(keras.optimizers.schedules, name)(**settings)
    steps = range(60)
    expected = [float(keras.ops.convert_to_numpy(schedule(keras.ops.convert_to_tensor(step)))) for step in steps]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=1.0)
    scheduler = schedule_like(schedule, optimizer)
    followed = []
    for _ in steps:
        followed.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    # TensorFlow's cosine sometimes differs in the last place of a float32.
    off = 2**-23 * max(expected) if "Cosine" in name and keras.config.backend() == "tensorflow" else 0.0
    np.testing.assert_allclose(followed, expected, rtol=0, atol=off)
    assert [float(np.float32(rate)) for rate in followed] == followed
    assert len(set(followed)) > 2


def test_a_scheduler_continues_from_its_state_dict() -> None:
    import keras
    import torch

    schedule = keras.optimizers.schedules.ExponentialDecay(0.01, 7, 0.9)
    optimizers = [torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=1.0) for _ in range(2)]
    first, second = (schedule_like(schedule, optimizer) for optimizer in optimizers)
    for _ in range(5):
        optimizers[0].step()
        first.step()
    assert "schedule" not in first.state_dict()
    second.load_state_dict(first.state_dict())
    for optimizer, scheduler in zip(optimizers, (first, second), strict=True):
        optimizer.step()
        scheduler.step()
    assert first.get_last_lr() == second.get_last_lr() != [0.01]


def test_two_schedules_for_one_optimizer_are_refused(refused: Any) -> None:
    import keras
    import torch

    schedule = keras.optimizers.schedules.ExponentialDecay(0.01, 7, 0.9)
    optimizer = optimizer_like(keras.optimizers.SGD(schedule), [torch.nn.Parameter(torch.ones(2))])
    with refused("already follows a schedule"):
        schedule_like(schedule, optimizer)


def test_a_user_s_own_schedule_is_refused(refused: Any) -> None:
    import torch

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=1.0)
    with refused("LambdaLR"):
        schedule_like(lambda step: 0.1, optimizer)
