"""A step of an emulated cell gives what Keras's cell gives."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch

from frameworks import emulate
from frameworks.keras_in_torch.layers import KerasGRU, KerasGRUCell, KerasLSTMCell, KerasSimpleRNNCell

BATCH, INPUT, UNITS = 3, 2, 4
NUMBERS = np.random.default_rng(0)
X = NUMBERS.normal(size=(BATCH, INPUT))
CELLS: dict[str, dict[str, Any]] = {
    "SimpleRNNCell": {"activation": "softsign"},
    "LSTMCell": {"recurrent_activation": "hard_sigmoid"},
    "GRUCell": {"reset_after": False, "use_bias": False},
}


@pytest.mark.backend
@pytest.mark.parametrize("name", CELLS)
def test_a_step_is_the_keras_cell_s(name: str, randomise: Any) -> None:
    keras = import_module("keras")
    native = getattr(keras.layers, name)(UNITS, dtype="float64", **CELLS[name])
    native.build((None, INPUT))
    cell = emulate(randomise(native))
    states = [NUMBERS.normal(size=(BATCH, UNITS)) for _ in range(2 if name == "LSTMCell" else 1)]
    output, after = native(keras.ops.convert_to_tensor(X), [keras.ops.convert_to_tensor(state) for state in states])
    actual, actual_after = cell(torch.from_numpy(X), [torch.from_numpy(state) for state in states])
    assert isinstance(actual_after, list)
    assert len(actual_after) == len(after)
    tolerance = 1e-12 if keras.backend.backend() == "tensorflow" else 1e-6
    for one, other in zip([output, *after], [actual, *actual_after], strict=True):
        np.testing.assert_allclose(other.detach(), keras.ops.convert_to_numpy(one), atol=tolerance)
    wrong, _ = cell(torch.from_numpy(X), [torch.from_numpy(-state) for state in states])
    assert np.abs(wrong.detach().numpy() - keras.ops.convert_to_numpy(output)).max() > 1e-3


def test_a_state_passed_without_a_list_is_returned_without_one() -> None:
    cell, h, x = KerasGRUCell(UNITS), torch.zeros(BATCH, UNITS), torch.from_numpy(X)
    assert isinstance(cell(x, h)[1], torch.Tensor)
    assert isinstance(cell(x, [h])[1], list)
    torch.testing.assert_close(cell(x, h)[0], cell(x, [h])[1][0])


@pytest.mark.parametrize("cell_class", [KerasSimpleRNNCell, KerasGRUCell, KerasLSTMCell])
def test_a_cell_keeps_its_dropout_masks_until_they_are_reset(cell_class: Any) -> None:
    torch.manual_seed(0)
    cell = cell_class(UNITS, dropout=0.5, recurrent_dropout=0.5)
    x, states = torch.randn(50, INPUT), [torch.randn(50, UNITS)] * (2 if cell_class is KerasLSTMCell else 1)
    first = cell(x, states, training=True)[0]
    torch.testing.assert_close(cell(x, states, training=True)[0], first)
    cell.reset_dropout_mask()
    assert (cell(x, states, training=True)[0] - first).abs().max() > 1e-3
    torch.testing.assert_close(cell(x, states, training=False)[0], cell.eval()(x, states)[0])


def test_a_layer_over_a_cell_runs_its_steps() -> None:
    layer = KerasGRU(UNITS, input_size=INPUT, reset_after=False, return_sequences=True)
    cell = KerasGRUCell(UNITS, reset_after=False)
    cell.load_state_dict({name.removesuffix("_l0"): each for name, each in layer.state_dict().items()})
    sequence, h = torch.randn(BATCH, 6, INPUT), torch.zeros(BATCH, UNITS)
    for time, output in enumerate(layer(sequence).unbind(1)):
        actual, h = cell(sequence[:, time], h)
        torch.testing.assert_close(actual, output)
