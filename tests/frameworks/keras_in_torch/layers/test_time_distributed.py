"""TimeDistributed of a recurrent layer: the layer inside it is adapted, and `emulate` runs it over each outer time step.

Covers: `frameworks/keras_in_torch/layers/sequential.py`, `frameworks/keras/structure.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

from frameworks.emulation.pytorch import KerasTimeDistributed
from frameworks.files import open_checkpoint
from gatewise import adapt, assert_parity, check_parity, convert, copy_weights, emulate

Randomise = Callable[..., Any]
RNG = np.random.default_rng(2)
X = RNG.normal(size=(2, 4, 5, 3)).astype("float32")
MASK = RNG.random((2, 4, 5)) > 0.4
KINDS: dict[str, Callable[[Any], Any]] = {
    "LSTM": lambda k: k.LSTM(6),
    "GRU, whole sequences": lambda k: k.GRU(6, return_sequences=True),
    "read backwards": lambda k: k.SimpleRNN(6, go_backwards=True, return_sequences=True),
    "two directions": lambda k: k.Bidirectional(k.LSTM(6, return_sequences=True), merge_mode="ave"),
    "unlike cells": lambda k: k.RNN([k.LSTMCell(6), k.GRUCell(7)]),
    "zeros at masked steps": lambda k: k.GRU(6, return_sequences=True, zero_output_for_mask=True),
}


def repeated(randomise: Randomise, name: str) -> Any:
    layer = keras.layers.TimeDistributed(KINDS[name](keras.layers))
    layer(X)
    return randomise(layer)


def array(tensor: Any) -> Any:
    return keras.ops.convert_to_numpy(tensor)


@pytest.mark.backend
@pytest.mark.parametrize(("name", "masked"), [("LSTM", False), ("two directions", False), *((name, True) for name in KINDS)])
def test_an_emulated_one_computes_what_keras_computes(name: str, *, masked: bool, randomise: Randomise) -> None:
    layer, mask = repeated(randomise, name), MASK if masked else None
    expected = array(layer(X, mask=None if mask is None else keras.ops.convert_to_tensor(mask)))
    actual = emulate(layer)(torch.from_numpy(X), mask=None if mask is None else torch.from_numpy(mask))
    np.testing.assert_allclose(actual.detach(), expected, atol=1e-5)


def test_a_stateful_layer_keeps_its_states_from_one_outer_step_to_the_next(randomise: Randomise) -> None:
    layer = keras.layers.TimeDistributed(keras.layers.LSTM(6, stateful=True))
    layer(X)
    randomise(layer)
    layer.layer.reset_state()
    module = emulate(layer)
    for _ in range(2):
        np.testing.assert_allclose(module(torch.from_numpy(X)).detach(), layer(X), atol=1e-5)
    module.layer.reset_state()
    x = torch.from_numpy(X)
    first, second = module(x[:, :2]).unbind(1)
    module.layer.reset_state()
    assert torch.equal(module.layer(x[:, 0]), first)
    module.layer.reset_state()
    assert not torch.allclose(module.layer(x[:, 1]), second, atol=1e-3)


def test_the_mask_of_an_embedding_reaches_the_layer(randomise: Randomise) -> None:
    kinds = keras.layers
    inner = [kinds.TimeDistributed(kinds.LSTM(6, return_sequences=True)), kinds.TimeDistributed(kinds.GRU(2))]
    model = randomise(keras.Sequential([keras.Input((4, 5), dtype="int32"), kinds.Embedding(9, 3, mask_zero=True), *inner]))
    ids = np.where(MASK, RNG.integers(1, 9, MASK.shape), 0)
    module = emulate(model)
    np.testing.assert_allclose(module(torch.from_numpy(ids)).detach(), model(ids), atol=1e-5)
    unmasked = module[2](module[1](module[0](torch.from_numpy(ids))))
    assert np.abs(unmasked.detach().numpy() - array(model(ids))).max() > 1e-3


@pytest.mark.parametrize("name", ["LSTM", "two directions", "unlike cells"])
def test_parity_compares_the_layer_inside(name: str, randomise: Randomise) -> None:
    layer = repeated(randomise, name)
    result = check_parity(layer, emulate(layer))
    assert result
    assert any("TimeDistributed" in note for note in result.notes) is (name != "unlike cells")
    other = emulate(layer)
    with torch.no_grad():
        next(other.parameters()).add_(0.1)
    assert not check_parity(layer, other)


def test_weights_go_in_and_out_as_those_of_the_layer_inside(randomise: Randomise) -> None:
    layer = repeated(randomise, "LSTM")
    module = convert(layer)
    last = module(torch.from_numpy(X).flatten(0, 1))[1][0][0].unflatten(0, X.shape[:2])
    np.testing.assert_allclose(last.detach(), layer(X), atol=1e-5)
    source = nn.LSTM(3, 6, batch_first=True)
    copy_weights(source, layer)
    assert_parity(layer.layer, source)
    assert_parity(emulate(layer), source)


def test_a_wrapper_that_would_round_the_data_is_refused(refused: Any) -> None:
    layer = keras.layers.TimeDistributed(keras.layers.LSTM(6, dtype="float64"))
    layer(X)
    for action in (adapt, emulate):
        with refused("TimeDistributed", "dtype"):
            action(layer)


def test_a_file_has_the_same_layer(tmp_path: Path, randomise: Randomise) -> None:
    layer = repeated(randomise, "GRU, whole sequences")
    keras.Sequential([keras.Input(X.shape[1:]), layer]).save(tmp_path / "m.keras")
    (stored,) = open_checkpoint(tmp_path / "m.keras").values()
    assert_parity(layer, stored)


def test_it_is_exported_for_its_shape() -> None:
    module = KerasTimeDistributed(emulate(built())).eval()
    exported = torch.export.export(module, (torch.from_numpy(X),)).module()
    np.testing.assert_allclose(exported(torch.from_numpy(X)).detach(), module(torch.from_numpy(X)).detach(), atol=1e-6)


def built() -> Any:
    layer = keras.layers.LSTM(6)
    layer.build((None, None, 3))
    return layer
