"""Weights ported from a Keras file load into its model, and other layers compute what they did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frameworks.files import open_checkpoint, save_checkpoint


def nested() -> Any:
    """Build models within models, each with two layers of the same class and name, wrappers, and layers of unknown kinds."""
    import keras

    kinds = keras.layers

    def inner(name: str) -> Any:
        return keras.Sequential([keras.Input((6, 5)), kinds.LSTM(5, return_sequences=True, name="same")], name=name)

    read = keras.Input((6, 5))
    deeper = keras.Model(read, inner("first")(kinds.Bidirectional(kinds.GRU(5, return_sequences=True), merge_mode="sum")(read)))
    inputs = keras.Input((6, 5))
    x = inner("second")(deeper(kinds.LSTM(5, return_sequences=True, name="outer")(inputs)))
    x = kinds.MultiHeadAttention(2, 3)(x, x)
    x = kinds.TimeDistributed(kinds.Dense(5, activation="relu"), name="each")(x)
    x = kinds.PReLU(shared_axes=[1], name="slopes")(kinds.LayerNormalization(epsilon=0.1, name="normal")(x))
    x = kinds.AdditiveAttention(name="attention")([x, x])
    return keras.Model(
        inputs,
        kinds.RNN([kinds.GRUCell(3), kinds.LSTMCell(4)], name="stack")(kinds.Conv1D(4, 3, padding="causal", name="conv")(x)),
    )


@pytest.fixture(scope="module")
def model() -> Any:
    model, rng = nested(), np.random.default_rng(0)
    model.set_weights([rng.uniform(0.1, 0.6, weight.shape) for weight in model.get_weights()])
    return model


@pytest.mark.parametrize("through", ["", ".safetensors", ".weights.h5"])
def test_keras_loads_the_weights_of_a_whole_model_including_inner_models(model: Any, tmp_path: Path, through: str) -> None:
    model.save(tmp_path / "model.keras")
    checkpoint = open_checkpoint(tmp_path / "model.keras")
    if through:
        save_checkpoint(tmp_path / f"between{through}", checkpoint)
        checkpoint = open_checkpoint(tmp_path / f"between{through}")
    save_checkpoint(tmp_path / "ported.weights.h5", checkpoint)
    again = nested()
    again.load_weights(tmp_path / "ported.weights.h5")
    for one, other in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_selection_of_layers_is_placed_as_a_model_of_its_own(model: Any, tmp_path: Path) -> None:
    model.save(tmp_path / "model.keras")
    layer = open_checkpoint(tmp_path / "model.keras")["second/same"]
    assert layer.place == "layers/sequential/layers/lstm"
    (written,) = save_checkpoint(tmp_path / "one.weights.h5", {"same": layer})
    assert written.place == "layers/lstm"


def test_layers_with_the_same_name_in_two_models_stay_apart_without_an_architecture(model: Any, tmp_path: Path) -> None:
    model.save_weights(tmp_path / "model.weights.h5")
    checkpoint = open_checkpoint(tmp_path / "model.weights.h5")
    assert [len(checkpoint[name].cells) for name in ("same", "same (2)")] == [1, 1]
    options: Any = checkpoint["stack"].options
    assert not options.bare_states  # it is Keras 3 that writes names, and that returns the states of cells in lists


def test_other_layers_that_keras_rebuilds_compute_what_they_did(model: Any, tmp_path: Path) -> None:
    import keras

    model.save(tmp_path / "model.keras")
    save_checkpoint(tmp_path / "ported.keras", open_checkpoint(tmp_path / "model.keras"))
    ported = keras.models.load_model(tmp_path / "ported.keras")
    rng = np.random.default_rng(1)
    for name in ("each", "slopes", "normal", "attention", "conv"):
        x: Any = rng.normal(size=(2, 6, 5)).astype("float32")
        x = [x, x[:, ::-1]] if name == "attention" else x
        expected, actual = (np.asarray(keras.ops.convert_to_numpy(each.get_layer(name)(x))) for each in (model, ported))
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("through", ["state", "whole", ".safetensors"])
def test_torch_modules_compute_in_keras_what_they_did(through: str, tmp_path: Path) -> None:
    import keras
    import torch
    from torch import nn

    from frameworks.files.writing.keras.model import UNCONNECTED

    whole = through == "whole"
    unlike: dict[str, Any] = {"eps": 1e-4} if whole else {}
    modules = nn.ModuleDict(
        {
            "rnn": nn.GRU(5, 4),
            "lin": nn.Linear(5, 3),
            "ln": nn.LayerNorm(5, **unlike),
            "bn": nn.BatchNorm1d(5, **unlike),
            "conv": nn.Conv1d(5, 10, 3, stride=2 if whole else 1, groups=5 if whole else 1),
        }
    ).eval()
    with torch.no_grad():
        for tensor in [*modules.parameters(), *(each for each in modules.buffers() if each.is_floating_point())]:
            tensor.uniform_(0.1, 1)
    torch.save(modules if whole else modules.state_dict(), tmp_path / "model.pt")
    kinds = {"ln": "LayerNorm", "bn": "BatchNorm1d", "conv": "Conv1d"}
    told: dict[str | None, Any] = {} if whole else {name: {"kind": kind} for name, kind in kinds.items()}
    checkpoint = open_checkpoint(tmp_path / "model.pt", options=told)
    if through == ".safetensors":
        save_checkpoint(tmp_path / "model.safetensors", checkpoint)
        checkpoint = open_checkpoint(tmp_path / "model.safetensors")
    written = save_checkpoint(tmp_path / "model.keras", checkpoint)
    assert {each.caveats for each in written if each.name != "rnn"} == {(UNCONNECTED,)}
    assumed = {name for name, other in checkpoint.others.items() for each in other.warnings if "assumed" in each}
    assert assumed == (set() if whole else {"ln", "bn", "conv"})
    model = keras.models.load_model(tmp_path / "model.keras")
    x = (np.random.default_rng(2).normal(size=(2, 6, 5)) * 0.02).astype("float32")  # small: an epsilon of 1e-3 would show
    for name in ("lin", "ln", "bn", "conv"):
        turned = (0, 2, 1) if name in ("bn", "conv") else (0, 1, 2)
        with torch.no_grad():
            expected = modules[name](torch.from_numpy(x.transpose(turned).copy())).numpy().transpose(turned)
        actual = np.asarray(keras.ops.convert_to_numpy(model.get_layer(name)(x)))
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("policy", ["float16", "bfloat16", "mixed_bfloat16"])
def test_half_precision_is_returned_exactly_in_float32_with_a_warning(policy: str, tmp_path: Path) -> None:
    import keras
    import ml_dtypes

    kinds = keras.layers
    plain: dict[str, Any] = {"dtype": policy, "recurrent_initializer": "glorot_uniform"}  # no backend has a QR of bfloat16
    model = keras.Sequential(
        [keras.Input((6, 5)), kinds.LSTM(4, return_sequences=True, name="half", **plain), kinds.GRU(3, name="whole")]
    )
    dtype = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}.get(policy, np.float32)
    kernel = np.asarray(np.random.default_rng(3).normal(size=(5, 16)), dtype)
    model.layers[0].cell.kernel.assign(kernel)
    for file in ("model.keras", "model.weights.h5"):
        (model.save if file.endswith("keras") else model.save_weights)(tmp_path / file)
        checkpoint = open_checkpoint(
            tmp_path / file, None if file == "model.keras" else {"keras_version": "3", **_config(model)}
        )
        layer = checkpoint["half"]
        np.testing.assert_array_equal(layer.cells[0][0].arrays["kernel"].read(), kernel.astype(np.float32))
        assert policy in layer.warnings[-1]
        assert not checkpoint["whole"].warnings
        save_checkpoint(tmp_path / "model.safetensors", checkpoint, force=True)
        again: Any = open_checkpoint(tmp_path / "model.safetensors")["half"].convert("pytorch")
        np.testing.assert_array_equal(again.weight_ih_l0.detach().numpy(), kernel.astype(np.float32).T)


def _config(model: Any) -> dict[str, Any]:
    import json

    architecture: dict[str, Any] = json.loads(model.to_json())
    return architecture
