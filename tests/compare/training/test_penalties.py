"""Regularisers add the same penalty on both sides, as in Keras's own train step; other losses are refused by name."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

from compare.training import KerasSide, PyTorchSide, compare_training, parameter_reader, train_together
from frameworks import GatewiseError, copy_weights, emulate, freeze_second_bias, loss_like, optimizer_like
from frameworks.keras.tensors import to_numpy

DTYPE = {"dtype": "float64"}
SIZES = (4, 2, 3, 5)
"""(batch, time, input, hidden)"""
ALL = {
    "kernel_regularizer": "l2",
    "recurrent_regularizer": keras.regularizers.L1L2(0.02, 0.03),
    "bias_regularizer": keras.regularizers.L1(0.05),
}


class Port(nn.Module):
    """A recurrent layer and a linear one."""

    def __init__(self, recurrent: nn.Module, head: nn.Linear, *, whole: bool) -> None:
        super().__init__()
        self.recurrent, self.head, self.whole = recurrent, head, whole

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result = self.recurrent(x)
        prediction: torch.Tensor = self.head(result if self.whole else result[0])
        return prediction


def pair(kind: str = "LSTM", *, emulated: bool = False, head: Any = None, **settings: Any) -> tuple[Any, Port]:
    """Return a model and its port, with random biases."""
    _, time, features, hidden = SIZES
    keras.utils.set_random_seed(1)
    layer = getattr(keras.layers, kind)(hidden, return_sequences=True, bias_initializer="normal", **DTYPE, **settings)
    dense = keras.layers.Dense(2, **DTYPE, **(head or {}))
    model = keras.Sequential([keras.Input((time, features), dtype="float64"), layer, dense])
    linear = nn.Linear(hidden, 2).double()
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(to_numpy(dense.kernel)).T)
        linear.bias.copy_(torch.tensor(to_numpy(dense.bias)))
    if emulated:
        return model, Port(emulate(layer), linear, whole=True)
    module = getattr(nn, kind.replace("SimpleRNN", "RNN"))(features, hidden, batch_first=True).double()
    copy_weights(layer, module)
    return model, Port(freeze_second_bias(module), linear, whole=False)


def batch_of(step: int) -> Any:
    batch, time, features, _ = SIZES
    rng = np.random.default_rng(step)
    return rng.normal(size=(batch, time, features)), rng.normal(size=(batch, time, 2))


def squares() -> Any:
    return keras.losses.MeanSquaredError(**DTYPE)


def compared(model: Any, port: nn.Module, **arguments: Any) -> Any:
    return compare_training(model, port, batch_of, 3, optimizer=keras.optimizers.SGD(0.125), loss=squares(), **arguments)


CASES: dict[str, tuple[Any, ...]] = {
    "LSTM": ("LSTM", ALL),
    "GRU": ("GRU", ALL),
    "SimpleRNN": ("SimpleRNN", ALL),
    "GRU, reset before": ("GRU", {**ALL, "reset_after": False, "emulated": True}),
    "output": ("LSTM", {"activity_regularizer": "l2", "head": {"activity_regularizer": keras.regularizers.L1(0.1)}}),
    "head": ("GRU", {"head": {"kernel_regularizer": "l1", "bias_regularizer": "l2"}}),
}


@pytest.mark.usefixtures("floatx64", "eagerly")
@pytest.mark.filterwarnings("ignore:.*is not carried over.*Add a regulariser's penalty to the loss")  # by emulate, rightly
@pytest.mark.parametrize("case", CASES)
def test_the_port_trains_with_the_penalties_of_fit(fit: Any, case: str) -> None:
    kind, settings = CASES[case]
    model, port = pair(kind, **settings)
    losses, weights = fit(model, squares(), batch_of, 3)
    trajectory = compared(model, port)
    np.testing.assert_allclose(trajectory.losses["pytorch"], losses, rtol=0, atol=1e-12)
    for one, other in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)
    assert trajectory.farthest("pytorch").max() < 1e-12
    assert any(note.startswith("Torch's loss includes the penalties of ") for note in trajectory.notes)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("mode", ["rows", "columns"])
def test_an_orthogonal_regulariser_is_followed(mode: str) -> None:
    orthogonal = keras.regularizers.OrthogonalRegularizer(0.3, mode)
    layer = keras.layers.Dense(5, kernel_regularizer=orthogonal)
    model = keras.Sequential([keras.Input((3,)), layer])
    linear = nn.Linear(3, 5)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(to_numpy(layer.kernel)).T)
        linear.bias.zero_()
    rng = np.random.default_rng(0)
    batch = rng.normal(size=(4, 3)).astype("float32"), rng.normal(size=(4, 5)).astype("float32")
    trajectory = compare_training(model, linear, lambda _: batch, 3, optimizer=keras.optimizers.SGD(0.125), loss="mse")
    assert float(to_numpy(orthogonal(layer.kernel))) > 1e-2  # and not a penalty of nothing
    assert trajectory.loss_gap("pytorch").max() < 1e-6
    assert trajectory.farthest("pytorch").max() < 1e-6


@pytest.mark.usefixtures("eagerly")
def test_a_frozen_layer_is_not_penalised() -> None:
    model, port = pair("LSTM", **ALL)
    model.layers[0].trainable = False
    port.recurrent.requires_grad_(requires_grad=False)
    trajectory = compared(model, port)
    assert trajectory.loss_gap("pytorch").max() < 1e-12
    assert not any("penalties" in note for note in trajectory.notes)


class Adding(keras.layers.Layer):  # type: ignore[misc]
    """Adds the mean of its inputs to the loss."""

    def call(self, inputs: Any) -> Any:
        self.add_loss(keras.ops.mean(inputs))
        return inputs


def tenth(array: Any) -> Any:
    return 0.1 * keras.ops.sum(array)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    ("settings", "further", "message"),
    [
        ({"kernel_regularizer": tenth}, None, "the regulariser of .*lstm_cell/kernel must be one of .* but is tenth of "),
        ({"head": {"activity_regularizer": tenth}}, None, "the regulariser of the output of dense.* must be one of "),
        ({}, Adding(**DTYPE), "the layer adding.* must have no loss other than regularisers, but adds one with add_loss"),
        ({}, keras.layers.ActivityRegularization(0.1, **DTYPE), "the layer activity_regularization.* must have a partner"),
    ],
)
def test_a_loss_that_torch_cannot_follow_is_refused_by_name(settings: Any, further: Any, message: str) -> None:
    model, port = pair(**settings)
    if further is not None:
        model = keras.Sequential([keras.Input(SIZES[1:3], dtype="float64"), *model.layers, further])
    before = model.get_weights()
    with pytest.raises(GatewiseError, match=message):
        compared(model, port)
    assert all(np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True))


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("adds", [True, False])
def test_a_loss_added_by_hand_on_both_sides_trains_alike_and_one_left_out_is_caught(*, adds: bool) -> None:
    """What the refusals recommend: train_together, with the penalty in the `loss_of` of a KerasSide and a PyTorchSide."""
    port: Any
    model, port = pair(kernel_regularizer=tenth)
    optimizer = keras.optimizers.SGD(0.125)
    optimizer.build(model.trainable_variables)
    recurrent, head = model.layers
    loss = loss_like(squares())

    def in_keras(x: Any, y: Any) -> Any:
        return squares()(y, model(x, training=True)) + sum(model.losses)

    def in_torch(x: Any, y: Any) -> Any:
        value = loss(port(torch.as_tensor(x)), torch.as_tensor(y))
        return value + 0.1 * port.recurrent.weight_ih_l0.sum() if adds else value

    sides: dict[str, Any] = {
        "keras": KerasSide(model, optimizer, in_keras, parameter_reader({"lstm": recurrent, "head": head})),
        "pytorch": PyTorchSide(
            port,
            optimizer_like(optimizer, [(recurrent, port.recurrent), (head, port.head)]),
            in_torch,
            parameter_reader({"lstm": port.recurrent, "head": port.head}),
        ),
    }
    trajectory = train_together(sides, batch_of, 3)
    assert (trajectory.loss_gap("pytorch").max() < 1e-12) == adds
    assert (trajectory.farthest("pytorch").max() < 1e-12) == adds
