"""What the first batch shows is said before the first step: another start, wrong batches, what is not compared."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

from compare.training import compare_training
from frameworks import GatewiseError
from frameworks.keras.tensors import to_numpy

DTYPE = {"dtype": "float64"}


def pair(*before: Any) -> tuple[Any, nn.Linear]:
    """Return a model that ends with a Dense layer, and the Linear that computes the same as that layer."""
    keras.utils.set_random_seed(1)
    layer = keras.layers.Dense(3, **DTYPE)
    model = keras.Sequential([keras.Input((4,), dtype="float64"), *before, layer])
    linear = nn.Linear(4, 3).double()
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(to_numpy(layer.kernel)).T)
        linear.bias.zero_()
    return model, linear


def batch_of(step: int) -> Any:
    rng = np.random.default_rng(step)
    return rng.normal(size=(5, 4)), rng.normal(size=(5, 3))


def compared(model: Any, module: nn.Module, batches: Any = batch_of, **arguments: Any) -> Any:
    return compare_training(model, module, batches, 2, optimizer=keras.optimizers.SGD(0.125), loss="mse", **arguments)


@pytest.mark.usefixtures("eagerly")
def test_an_equal_start_is_not_noted_and_another_is_with_its_size() -> None:
    assert compared(*pair()).notes == ()
    model, linear = pair()
    with torch.no_grad():
        linear.bias[1] += 0.25
    trajectory = compared(model, linear)
    assert any("the predictions for the first batch differ by up to 2.5e-01" in note for note in trajectory.notes)
    assert "Notes:\n- Before the first step" in str(trajectory)
    model, linear = pair()
    with torch.no_grad():
        linear.bias[1] += 0.25
    assert compared(model, linear, tolerance=0.5).notes == ()


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (np.ones((5, 4)), r"batch_of\(0\) must be \(inputs, targets\) or .* but is a ndarray"),
        ((np.ones((5, 4)), np.ones((5, 3)), None, None), "but is a tuple of 4"),
        ((np.ones((5, 4)),), "but is a tuple of 1"),
    ],
)
def test_a_batch_that_fit_would_not_take_is_refused(batch: Any, message: str) -> None:
    with pytest.raises(GatewiseError, match=message):
        compared(*pair(), lambda _: batch)


@pytest.mark.usefixtures("eagerly")
def test_no_weights_may_be_written_as_none() -> None:
    assert compared(*pair(), lambda step: (*batch_of(step), None)).loss_gap("pytorch").max() < 1e-12


@pytest.mark.usefixtures("eagerly")
def test_moving_averages_are_named_as_not_compared() -> None:
    norm = keras.layers.BatchNormalization(**DTYPE)
    model, linear = pair(norm)
    port: Any = nn.Sequential(nn.BatchNorm1d(4, eps=norm.epsilon, momentum=1 - norm.momentum).double(), linear)
    trajectory = compared(model, port)
    assert trajectory.loss_gap("pytorch").max() < 1e-12
    assert trajectory.notes == (f"moving_mean and moving_variance of {norm.name} were not compared.",)
    assert port[0].num_batches_tracked == 2  # the first batch was looked at without a trace


class Carrying(nn.Module):
    """An LSTM that starts where it ended, as a stateful one."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 5, batch_first=True).double()
        self.h: torch.Tensor
        self.c: torch.Tensor
        for name in ("h", "c"):
            self.register_buffer(name, torch.zeros(1, 4, 5, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output, (h, c) = self.lstm(x, (self.h.clone(), self.c.clone()))
        self.h.copy_(h.detach())
        self.c.copy_(c.detach())
        result: torch.Tensor = output
        return result


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("carries", [True, False])
def test_a_stateful_layer_is_no_source_of_random_numbers(*, carries: bool) -> None:
    from frameworks import copy_weights, freeze_second_bias

    layer = keras.layers.LSTM(5, return_sequences=True, stateful=True, **DTYPE)
    model = keras.Sequential([keras.Input(batch_shape=(4, 6, 3), dtype="float64"), layer])
    port: Any = Carrying()
    copy_weights(layer, port.lstm)
    freeze_second_bias(port)
    if not carries:
        port.forward = lambda x: port.lstm(x)[0]
    rng = np.random.default_rng(0)
    batch = rng.normal(size=(4, 6, 3)), rng.normal(size=(4, 6, 5))
    trajectory = compared(model, port, lambda _: batch)
    assert (trajectory.loss_gap("pytorch").max() < 1e-12) == carries
