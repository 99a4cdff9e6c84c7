"""The tables match the frameworks' own layers, and reading by them copies nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from frameworks import RecurrentSpec
from frameworks.layouts import CUDNN, KERAS, ONNX, PYTORCH
from frameworks.part_layout import Stored
from frameworks.spec import CellName

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


@pytest.mark.parametrize(("cell", "gates"), [("lstm", 4), ("gru", 3)])
def test_cudnn_s_weights_are_those_that_keras_2_made_of_them(cell: CellName, gates: int) -> None:
    import tf_keras
    from tf_keras.src.saving.legacy import hdf5_format

    rng = np.random.default_rng(0)
    shapes = {"kernel": (INPUT, gates * HIDDEN), "recurrent_kernel": (HIDDEN, gates * HIDDEN), "bias": (2 * gates * HIDDEN,)}
    folded = {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}
    layer = getattr(tf_keras.layers, cell.upper())(HIDDEN)
    layer.build((None, None, INPUT))
    spec = RecurrentSpec(cell, INPUT, HIDDEN)
    plain = dict(
        zip(("kernel", "recurrent_kernel", "bias"), hdf5_format._convert_rnn_weights(layer, [*folded.values()]), strict=True)
    )
    expected, found = KERAS.read(plain, spec, 0), CUDNN.read(folded, spec, 0)
    np.testing.assert_array_equal(found.kernel, expected.kernel)
    np.testing.assert_array_equal(found.recurrent_kernel, expected.recurrent_kernel)
    np.testing.assert_allclose(np.asarray(found.summed_bias()), np.asarray(expected.summed_bias()), rtol=0, atol=1e-6)
    assert np.abs(KERAS.read({**folded, "bias": plain["bias"]}, spec, 0).kernel - expected.kernel).max() > 0.5
    with pytest.raises(ValueError, match="read-only"):
        found.kernel[...] = 0


@pytest.mark.parametrize(("cell", "letters"), [("lstm", "iofc"), ("gru", "zrh")])
def test_onnx_s_gates_lie_in_the_order_of_its_manual(cell: CellName, letters: str) -> None:
    meant = {"i": "input", "o": "output", "f": "forget", "c": "candidate", "z": "update", "r": "reset", "h": "candidate"}
    blocks = {meant[letter]: np.random.default_rng(ord(letter)).normal(size=(HIDDEN, INPUT)) for letter in letters}
    biases = np.arange(2.0 * len(letters) * HIDDEN)
    arrays = {
        "W": np.concatenate([*blocks.values()]),
        "R": np.zeros((len(letters) * HIDDEN, HIDDEN)),
        "B": biases,
    }
    weights = ONNX.read(arrays, RecurrentSpec(cell, INPUT, HIDDEN), 0)
    for gate, block in blocks.items():
        np.testing.assert_array_equal(weights.kernel[weights.gates.index(gate)], block.T)
    np.testing.assert_array_equal(np.asarray(weights.recurrent_bias).ravel(), biases[len(letters) * HIDDEN :])
