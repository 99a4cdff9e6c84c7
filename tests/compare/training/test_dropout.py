"""Dropout is refused, or left out on both sides if asked, and the rates come back."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

from compare.training import compare_training
from frameworks import GatewiseError, copy_weights, emulate, freeze_second_bias
from frameworks.keras.tensors import to_numpy


class Port(nn.Module):
    """A recurrent layer and a linear one, with dropout between."""

    def __init__(self, recurrent: nn.Module, head: nn.Linear, dropout: nn.Module) -> None:
        super().__init__()
        self.recurrent, self.dropout, self.head = recurrent, dropout, head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result = self.recurrent(x)
        prediction: torch.Tensor = self.head(self.dropout(result[0] if isinstance(result, tuple) else result))
        return prediction


def pair(rates: tuple[float, ...], dropout: nn.Module, *, emulated: bool = False) -> tuple[Any, Port]:
    """Return a model with rates inside its recurrent layer, of the hidden state, and after it; and its port."""
    keras.utils.set_random_seed(1)
    within, recurrent, after = rates
    layer = keras.layers.LSTM(5, return_sequences=True, dropout=within, recurrent_dropout=recurrent, dtype="float64")
    dense = keras.layers.Dense(2, dtype="float64")
    between = [keras.layers.Dropout(after, dtype="float64"), keras.layers.GaussianNoise(after, dtype="float64")]
    model = keras.Sequential([keras.Input((2, 3), dtype="float64"), layer, *between, dense])
    linear = nn.Linear(5, 2).double()
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(to_numpy(dense.kernel)).T)
        linear.bias.zero_()
    if emulated:
        return model, Port(emulate(layer), linear, dropout)
    module = nn.LSTM(3, 5, batch_first=True).double()
    copy_weights(layer, module)
    return model, Port(freeze_second_bias(module), linear, dropout)


def compared(model: Any, port: nn.Module, **arguments: Any) -> Any:
    rng = np.random.default_rng(0)
    batch = rng.normal(size=(4, 2, 3)), rng.normal(size=(4, 2, 2))
    loss = keras.losses.MeanSquaredError(dtype="float64")
    return compare_training(model, port, lambda _: batch, 3, optimizer=keras.optimizers.SGD(0.125), loss=loss, **arguments)


@pytest.mark.backend
@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("emulated", [False, True])
def test_without_dropout_both_train_alike_and_the_note_lists_the_rates(*, emulated: bool) -> None:
    model, port = pair((0.2, 0.1, 0.5), nn.Dropout(0.3), emulated=emulated)
    trajectory = compared(model, port, without_dropout=True)
    allowed = 1e-12 if keras.backend.backend() == "tensorflow" else 1e-5
    assert trajectory.loss_gap("pytorch").max() < allowed
    assert trajectory.farthest("pytorch").max() < allowed
    (note,) = trajectory.notes
    rates = r"recurrent_dropout of recurrent \(0\.1\), " if emulated else ""
    assert "(0.5), gaussian_noise" in note
    assert all(text in note for text in ("dropout of lstm_cell", "(0.2)", "recurrent_dropout of lstm_cell", "dropout (0.3)"))
    assert ("recurrent_dropout of recurrent (0.1)" in note) == bool(rates)
    assert note in str(trajectory)


@pytest.mark.usefixtures("eagerly")
def test_the_rates_are_back_in_place_afterwards() -> None:
    model, port = pair((0.2, 0.1, 0.5), nn.Dropout(0.3), emulated=True)
    compared(model, port, without_dropout=True)
    assert (model.layers[0].cell.dropout, model.layers[0].cell.recurrent_dropout, model.layers[1].rate) == (0.2, 0.1, 0.5)
    assert port.dropout.p == 0.3
    port.train()
    x = torch.ones(4, 2, 3, dtype=torch.float64)
    assert not torch.equal(port.recurrent(x), port.recurrent(x))


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    ("rates", "dropout", "side"),
    [
        ((0.0, 0.0, 0.5), nn.Identity(), "keras"),
        ((0.3, 0.0, 0.0), nn.Identity(), "keras"),
        ((0.0,) * 3, nn.Dropout(0.3), "pytorch"),
    ],
)
def test_dropout_of_either_side_is_refused_with_the_argument_that_leaves_it_out(rates: Any, dropout: Any, side: str) -> None:
    with pytest.raises(GatewiseError, match=f"the training of {side} must depend only on .* Pass without_dropout=True"):
        compared(*pair(rates, dropout))


class Noise(nn.Module):
    """Noise that is no layer of torch's."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.randn_like(x)


@pytest.mark.usefixtures("eagerly")
def test_random_numbers_of_another_kind_are_refused_even_without_dropout() -> None:
    with pytest.raises(GatewiseError, match=r"the training of pytorch must depend only on .* Remove the layers that draw them"):
        compared(*pair((0.0, 0.0, 0.0), Noise()), without_dropout=True)
