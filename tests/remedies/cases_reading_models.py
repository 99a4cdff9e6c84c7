"""Remedies of reading whole models, from files and from live ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch

from frameworks.files import open_checkpoint, save_checkpoint
from gatewise import convert, port_model, to_source
from tests.remedies.arrays import LAYERS
from tests.remedies.following import case, refuses

X = np.random.default_rng(0).standard_normal((2, 5, 3)).astype("float32")


def assert_same(model: Any, port: Any) -> None:
    np.testing.assert_allclose(port(torch.from_numpy(X)).detach().numpy(), np.asarray(model(X)), atol=1e-5)


def chain() -> Any:
    return keras.Sequential([keras.Input((None, 3)), LAYERS.LSTM(4, name="lstm"), LAYERS.Dense(2, name="head")])


@case
def a_model_that_is_code() -> None:
    class Own(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.head = LAYERS.LSTM(4), LAYERS.Dense(2)

        def call(self, x: Any) -> Any:
            return self.head(self.lstm(x))

    model = Own()
    model(X)
    with refuses("Build it again as keras.Model(inputs, outputs) with the same layers, or port its layers one at a time."):
        to_source(model)
    x = keras.Input((None, 3))
    assert_same(model, port_model(keras.Model(x, model.head(model.lstm(x)))))
    assert isinstance(convert(model.lstm), torch.nn.LSTM)


@case
def a_model_without_weights() -> None:
    model = keras.Sequential([LAYERS.LSTM(4), LAYERS.Dense(2)])
    with refuses("Call it once, or add a keras.Input."):
        to_source(model)
    model(X)
    assert_same(model, port_model(model))


@case
def neither_a_model_nor_a_path() -> None:
    model = chain()
    with refuses("Pass the model itself, or the path of the .keras or .h5 file."):
        to_source([model])
    assert_same(model, port_model(model))


@case
def weights_without_an_architecture(folder: Path) -> None:
    model = chain()
    model.save_weights(folder / "model.weights.h5")
    (folder / "model.json").write_text(model.to_json())
    with refuses("Pass the JSON that model.to_json() returned as --architecture (in Python: architecture). Or port to *"):
        to_source(folder / "model.weights.h5")
    assert_same(model, port_model(folder / "model.weights.h5", architecture=folder / "model.json"))
    save_checkpoint(folder / "again.weights.h5", open_checkpoint(folder / "model.weights.h5"))
    rebuilt = chain()
    rebuilt.load_weights(folder / "again.weights.h5")
    np.testing.assert_allclose(np.asarray(rebuilt(X)), np.asarray(model(X)), atol=1e-6)
    with refuses("Pass the JSON as the model."):
        to_source(folder / "model.weights.h5", weights=folder / "model.weights.h5", architecture=folder / "model.json")
    assert_same(model, port_model(folder / "model.json", weights=folder / "model.weights.h5"))


@case
def a_file_of_torch(folder: Path) -> None:
    model = chain()
    save_checkpoint(folder / "model.safetensors", {"lstm": model.get_layer("lstm")})
    with refuses("Pass a .keras or .h5 file that Keras saved, or port its layers one at a time with open_checkpoint."):
        to_source(folder / "model.safetensors")
    model.save(folder / "model.keras")
    assert_same(model, port_model(folder / "model.keras"))
    assert isinstance(open_checkpoint(folder / "model.safetensors")["lstm"].convert("pytorch"), torch.nn.LSTM)
