"""Arrays of layers that Keras stores in layers of their own, or beside a generator's state, have their Keras names.

Covers: `frameworks/files/keras/other_layers.py`.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frameworks.files import open_checkpoint, save_checkpoint
from frameworks.files.other_layers import OtherLayer

HEADS = ("query", "key", "value", "attention_output")


def drawn(library: Any) -> Any:
    """Return a model with layers that the table lists, whose arrays all have different values."""
    kinds, one, other = library.layers, library.Input((9, 4)), library.Input((8, 6))
    x = kinds.MultiHeadAttention(2, 3, value_dim=5, dropout=0.5, name="heads")(one, other)
    x = kinds.SeparableConv1D(3, 2, name="separable")(x)
    x = kinds.DepthwiseConv1D(3, depth_multiplier=2, name="depthwise")(x)
    x = kinds.Conv1DTranspose(4, 2, name="transposed")(x)
    x = kinds.Attention(use_scale=True, score_mode="concat", dropout=0.1, name="attention")([x, x])
    model = library.Model([one, other], kinds.LSTM(2, name="lstm")(x))
    rng = np.random.default_rng(5)
    model.set_weights([rng.normal(size=each.shape) for each in model.get_weights()])
    return model


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_arrays_have_their_names_and_values(library: str, suffix: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = drawn(import_module(library))
        model.save(tmp_path / f"model{suffix}")
    others = open_checkpoint(tmp_path / f"model{suffix}").others
    expected = {
        "heads": [f"{head}_{array}" for head in HEADS for array in ("kernel", "bias")],
        "separable": ["depthwise_kernel", "pointwise_kernel", "bias"],
        "depthwise": ["depthwise_kernel", "bias"],
        "transposed": ["kernel", "bias"],
        "attention": ["scale", "concat_score_weight"],
    }
    for name, arrays in expected.items():
        layer = others[name]
        assert isinstance(layer, OtherLayer)
        assert layer.known, name
        assert [each for each in layer.stored if "seed_generator" not in each] == arrays
        for array, weight in zip(arrays, model.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(layer.arrays[array], weight)


def test_keras_loads_them_from_written_weights(tmp_path: Path) -> None:
    library = import_module("keras")
    model = drawn(library)
    model.save(tmp_path / "model.keras")
    save_checkpoint(tmp_path / "written.weights.h5", open_checkpoint(tmp_path / "model.keras"))
    again = drawn(library)
    again.set_weights([np.zeros_like(each) for each in again.get_weights()])
    again.load_weights(tmp_path / "written.weights.h5")
    for one, other in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
