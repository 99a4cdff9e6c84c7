"""Custom layers and cells, a mask passed by the caller, and layers that Keras cannot build are reported, never guessed.

Covers: `frameworks/files/keras`, `frameworks/files/building/keras.py`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frameworks.files import Checkpoint, open_checkpoint, save_checkpoint

LIBRARIES = pytest.mark.parametrize("library", ["keras", "tf_keras"])


def saved(library: str, layer: Any, folder: Path) -> Checkpoint:
    keras = import_module(library)
    keras.Sequential([keras.Input((6, 5)), layer]).save(folder / "model.keras")
    return open_checkpoint(folder / "model.keras")


@LIBRARIES
def test_a_subclass_of_a_layer_or_cell_is_read_with_a_warning_wherever_it_is_used(library: str, tmp_path: Path) -> None:
    kinds: Any = import_module(library).layers

    class Scaled(kinds.GRUCell):  # type: ignore[misc]
        pass

    class Mine(kinds.LSTM):  # type: ignore[misc]
        pass

    with import_module(library).utils.custom_object_scope({"Scaled": Scaled, "Mine": Mine}):
        both = [kinds.Bidirectional(each, name="a") for each in (kinds.RNN(Scaled(4)), Mine(4))]
    for layer, name in (
        (kinds.RNN(Scaled(4), name="a"), "Scaled"),
        (kinds.RNN([Scaled(4), kinds.LSTMCell(3)], name="a"), "Scaled"),
        (both[0], "Scaled"),
        (both[1], "Mine"),
        (Mine(4, name="a"), "Mine"),
    ):
        warnings = " ".join(saved(library, layer, tmp_path)["a"].warnings)
        assert f"{name} is not a Keras class" in warnings
    plain = saved(library, kinds.Bidirectional(kinds.RNN(kinds.GRUCell(4)), name="a"), tmp_path)
    assert "not a Keras class" not in " ".join(plain["a"].warnings)


@LIBRARIES
def test_a_cell_that_only_looks_like_a_keras_cell_is_not_read_as_one(library: str, tmp_path: Path, refused: Any) -> None:
    keras: Any = import_module(library)

    class Linear(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, units: int, **options: Any) -> None:
            super().__init__(**options)
            self.units = self.state_size = self.output_size = units

        def build(self, shape: Any) -> None:
            self.kernel = self.add_weight(shape=(shape[-1], self.units), name="kernel", initializer="ones")
            self.recurrent = self.add_weight(shape=(self.units, self.units), name="recurrent_kernel", initializer="ones")

        def call(self, x: Any, states: Any) -> Any:
            state = states[0] if isinstance(states, (list, tuple)) else states
            output = x @ self.kernel + state @ self.recurrent
            return output, [output]

        def get_config(self) -> Any:
            return {**super().get_config(), "units": self.units}

    with refused("Linear", "not a Keras class"):
        saved(library, keras.layers.RNN(Linear(4), name="a"), tmp_path)


def test_a_mask_passed_by_the_caller_overrides_the_mask_of_the_input(tmp_path: Path) -> None:
    keras = import_module("keras")
    words, given = keras.Input((6,)), keras.Input((6,), dtype="bool", name="valid")
    embedded = keras.layers.Embedding(9, 5, mask_zero=True, name="embedding")(words)
    outputs = [
        keras.layers.LSTM(3, name="own")(embedded, mask=given),
        keras.layers.LSTM(3, name="automatic")(embedded),
    ]
    model = keras.Model([words, given], outputs)
    model.save(tmp_path / "model.keras")
    (tmp_path / "model.json").write_text(model.to_json())
    checkpoint = open_checkpoint(tmp_path / "model.keras")
    assert checkpoint["own"].mask.startswith("valid")
    assert checkpoint["automatic"].mask == "embedding (mask_zero)"


@LIBRARIES
def test_a_stateful_layer_is_refused_if_keras_needs_its_batch_size_and_an_option_builds_it(
    library: str, tmp_path: Path, refused: Any
) -> None:
    keras: Any = import_module(library)
    layer = keras.layers.LSTM(4, stateful=True, name="a")
    batch = {"batch_shape": (2, 6, 5)} if library == "keras" else {"batch_input_shape": (2, 6, 5)}
    keras.Sequential([keras.layers.InputLayer(**batch), layer]).save(tmp_path / "model.keras")
    checkpoint = open_checkpoint(tmp_path / "model.keras")
    with refused("stateful of a", "stateful=False"):
        checkpoint["a"].emulate("keras")
    with refused("stateful of a"):
        save_checkpoint(tmp_path / "out.keras", checkpoint)
    told = open_checkpoint(tmp_path / "model.keras", options={"a": {"stateful": False}})
    x = np.random.default_rng(0).normal(size=(2, 6, 5)).astype("float32")
    np.testing.assert_allclose(np.asarray(told["a"].emulate("keras")(x)), np.asarray(layer(x)), atol=1e-6)


@pytest.mark.backend
@LIBRARIES
def test_a_keras_layer_used_as_an_activation_is_read_as_its_function(library: str, tmp_path: Path) -> None:
    if library == "tf_keras" and import_module("keras").backend.backend() != "tensorflow":
        pytest.skip("tf_keras runs on TensorFlow alone")
    kinds: Any = import_module(library).layers
    x = np.random.default_rng(0).normal(size=(2, 6, 5)).astype("float32")
    for given, name in (
        (kinds.LeakyReLU(0.25), "leaky_relu(0.25)"),
        (kinds.ELU(0.5), "elu(0.5)"),
        (kinds.ReLU(), "relu"),
    ):
        layer = kinds.LSTM(4, activation=given, name="a")
        stored = saved(library, layer, tmp_path)["a"]
        assert stored.spec.activation == name
        expected = np.asarray(layer(x)) if library == "tf_keras" else keras_output(layer, x)
        for to in ("pytorch", "keras"):
            np.testing.assert_allclose(called(stored.emulate(to), x, to), expected, atol=2e-6, err_msg=f"{name} in {to}")


@pytest.mark.parametrize("arguments", [{"max_value": 6.0}, {"threshold": 0.5}])
def test_an_activation_that_computes_more_than_its_name_says_must_be_replaced_by_an_option(
    arguments: Any, tmp_path: Path, refused: Any
) -> None:
    kinds = import_module("keras").layers
    with refused("a layer of class ReLU", "options"):
        saved("keras", kinds.LSTM(4, activation=kinds.ReLU(**arguments), name="a"), tmp_path)


def keras_output(layer: Any, x: Any) -> Any:
    from frameworks.keras.tensors import to_numpy

    return to_numpy(layer(x))


def called(layer: Any, x: Any, to: str) -> Any:
    import torch

    if to == "keras":
        return keras_output(layer, x)
    with torch.no_grad():
        return layer(torch.from_numpy(x)).numpy()
