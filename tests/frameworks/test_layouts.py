"""The tables say what the frameworks' own layers have, and reading by them moves nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from frameworks import RecurrentSpec
from frameworks.layouts import KERAS, PYTORCH, Stored

INPUT, HIDDEN = 5, 7
SPECS = [
    RecurrentSpec(cell, INPUT, HIDDEN, num_layers=2, bidirectional=two, bias=bias)
    for cell in ("rnn", "lstm", "gru")
    for two in (False, True)
    for bias in (True, False)
]


def named(spec: RecurrentSpec) -> str:
    return f"{spec.cell}, {'two directions' if spec.bidirectional else 'one'}, {'bias' if spec.bias else 'no bias'}"


@pytest.mark.parametrize("spec", SPECS, ids=named)
def test_torch_s_parameters_are_those_of_its_table_in_its_order(spec: RecurrentSpec) -> None:
    kind = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[spec.cell]
    module = kind(INPUT, HIDDEN, num_layers=2, bidirectional=spec.bidirectional, bias=spec.bias)
    expected = {
        f"{name}_l{layer}{'_reverse' * direction}": shape
        for layer in range(2)
        for direction in range(1 + spec.bidirectional)
        for name, shape in PYTORCH.shapes(spec, layer).items()
    }
    found = {name: tuple(parameter.shape) for name, parameter in module.named_parameters()}
    assert list(found.items()) == list(expected.items())
    assert PYTORCH.names(spec) == tuple(PYTORCH.shapes(spec, 0))


@pytest.mark.backend
@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("spec", SPECS, ids=named)
def test_keras_s_weights_are_those_of_its_table_in_its_order(spec: RecurrentSpec, *, reset_after: bool) -> None:
    import keras

    kind = {"rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[spec.cell]
    options = {}
    if spec.cell == "gru":
        options = {"reset_after": reset_after}
        spec = RecurrentSpec("gru", INPUT, HIDDEN, 2, spec.bidirectional, spec.bias, reset_after=reset_after)
    for layer in range(2):
        native = kind(HIDDEN, use_bias=spec.bias, **options)
        native.build((None, None, INPUT if layer == 0 else (1 + spec.bidirectional) * HIDDEN))
        found = [(variable.name, tuple(variable.shape)) for variable in native.weights]
        assert found == list(KERAS.shapes(spec, layer).items())


def test_reading_gives_views_and_writing_into_them_reaches_the_array() -> None:
    spec = RecurrentSpec("gru", INPUT, HIDDEN)
    for layout in (KERAS, PYTORCH):
        arrays = {name: np.zeros(shape, "float32") for name, shape in layout.shapes(spec, 0).items()}
        weights = layout.read(arrays, spec, 0)
        assert weights.gates == layout.gates["gru"]
        for _, view in weights.arrays():
            assert any(np.shares_memory(view, array) for array in arrays.values())
            view[...] = 1
        assert all(array.all() for array in arrays.values())


def test_a_stored_array_is_read_as_its_axes_say() -> None:
    sizes = {"gate": 2, "input": 3, "hidden": 4, "pair": 2}
    matrix = np.arange(24.0).reshape(3, 8)
    view = Stored("kernel", "input (gate hidden)").view(matrix, "kernel", sizes)
    assert view.shape == (2, 3, 4)
    assert view[1, 2, 3] == matrix[2, 1 * 4 + 3]
    turned = Stored("weight", "(gate hidden) input").view(matrix.T, "kernel", sizes)
    np.testing.assert_array_equal(turned, view)
    pair = np.arange(16.0).reshape(2, 8)
    stored = Stored("bias", "pair (gate hidden)")
    assert stored.shape(sizes) == (2, 8)
    assert stored.view(pair, "bias", sizes)[1, 3] == pair[0, 7]
    assert stored.view(pair, "recurrent_bias", sizes)[1, 3] == pair[1, 7]
