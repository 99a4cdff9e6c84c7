"""Other layers in `save_checkpoint`: the torch modules that it names compute what the Keras layers do.

Covers: `frameworks/files/writing/torch/other_layers.py`, `frameworks/kinds/pytorch.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from frameworks.files import OtherLayer, Written, open_checkpoint, save_checkpoint
from frameworks.files.writing.torch.other_layers import spell

pytestmark = pytest.mark.backend


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, dict[str, Written], dict[str, Any]]:
    """Return a model, the outcome of each layer by name, and the state dict that was written."""
    import keras

    kinds, folder = keras.layers, tmp_path_factory.mktemp("beside")
    x = inputs = keras.Input((6, 8))
    for layer in (
        kinds.Conv1D(6, 3, dilation_rate=2, groups=2, name="dilated"),
        kinds.Conv1D(6, 3, padding="same", use_bias=False, name="same"),
        kinds.Conv1D(6, 2, strides=2, padding="causal", activation="relu", name="causal"),
        kinds.BatchNormalization(epsilon=0.01, name="batch"),
        kinds.BatchNormalization(scale=False, name="unscaled"),
        kinds.LayerNormalization(name="last"),
        kinds.LayerNormalization(axis=1, name="time"),
        kinds.LayerNormalization(scale=False, center=False, name="bare"),
        kinds.LSTM(4, return_sequences=True, name="lstm"),
        kinds.Dense(3, use_bias=False, name="dense"),
    ):
        x = layer(x)
    model = keras.Model(inputs, x)
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.1, 1, each.shape) for each in model.get_weights()])
    model.save(folder / "model.keras")
    told = save_checkpoint(folder / "model.pt", open_checkpoint(folder / "model.keras"))
    return model, {each.name: each for each in told}, torch.load(folder / "model.pt")


@pytest.mark.parametrize("name", ["dilated", "same", "batch", "last", "dense"])
def test_the_named_module_computes_what_the_layer_does(written: Any, name: str) -> None:
    from frameworks.keras.tensors import to_numpy

    model, told, state = written
    layer = model.get_layer(name)
    module = eval(told[name].becomes, {"nn": nn}).eval()  # noqa: S307  our own text, which promises to run
    own = {key.removeprefix(f"{name}."): tensor for key, tensor in state.items() if key.startswith(f"{name}.")}
    module.load_state_dict(own, strict=name != "batch")  # Keras counts no batches
    x = np.random.default_rng(1).normal(size=(2, *layer.input.shape[1:])).astype("float32")
    channels_last = name in ("last", "dense")
    actual = module(torch.from_numpy(x if channels_last else x.swapaxes(1, 2))).detach().numpy()
    expected = to_numpy(layer(x))
    np.testing.assert_allclose(actual if channels_last else actual.swapaxes(1, 2), expected, atol=2e-6)
    if name in ("batch", "last"):  # the control: torch's own epsilon is different
        plain = type(module)(expected.shape[-1]).eval()
        plain.load_state_dict(own, strict=False)
        x = 0.01 * x
        other = plain(torch.from_numpy(x if channels_last else x.swapaxes(1, 2))).detach().numpy()
        assert np.abs((other if channels_last else other.swapaxes(1, 2)) - to_numpy(layer(x))).max() > 1e-3


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("causal", ["pad the front of the input", "'relu' is a separate step"]),
        ("unscaled", ["no weight", "strict=False"]),
        ("time", ["along axis", "the last axis"]),
        ("same", []),
    ],
)
def test_differences_between_module_and_layer_are_caveats(written: Any, name: str, said: list[str]) -> None:
    caveats = " ".join(written[1][name].caveats)
    assert all(each in caveats for each in said)
    assert bool(caveats) == bool(said)


def test_a_layer_without_arrays_is_reported_as_absent_from_the_file(written: Any) -> None:
    assert written[1]["bare"].becomes == "nothing: it has no arrays"


@pytest.mark.parametrize("odd", [{"a": 1}, [[1], 2], "2", None, [1, None]])
def test_an_argument_that_is_not_a_number_breaks_nothing(odd: Any) -> None:
    from frameworks.files.untrusted.source import in_memory

    stored = {"kernel": in_memory(np.ones((3, 4, 5), "f4"))}
    config = dict.fromkeys(("strides", "dilation_rate", "groups", "padding", "activation"), odd)
    assert spell(OtherLayer("c", "Conv1D", stored, config, known=True), "Conv1d").startswith("nn.Conv1d(4, 5, 3")
