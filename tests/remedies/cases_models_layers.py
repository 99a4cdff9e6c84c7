"""Remedies for layers of whole models that their torch source cannot carry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch

from frameworks.models.porting import port_model
from tests.remedies.following import case, refuses


def _saved(folder: Path, shape: tuple[int, ...], apply: Any) -> tuple[Any, Path]:
    x = keras.Input(shape)
    model, path = keras.Model(x, apply(x)), folder / "model.keras"
    model.save(path)
    return model, path


def _as_before(model: Any, port: Any, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(0, 1, (2, *shape)).astype("float32")
    np.testing.assert_allclose(port(torch.from_numpy(x)).detach(), model(x), atol=1e-5)


@case
def an_interpolation_of_keras(folder: Path) -> None:
    layer = keras.layers.UpSampling2D
    _, path = _saved(folder, (3, 4, 2), layer(2, interpolation="lanczos3"))
    with refuses("Torch computes the others otherwise: train the model with one of these two, or port this layer by hand."):
        port_model(path)
    model, path = _saved(folder, (3, 4, 2), layer(2, interpolation="bilinear"))
    _as_before(model, port_model(path), (3, 4, 2))


@case
def attention_along_several_axes(folder: Path) -> None:
    layers, shape = keras.layers, (3, 4, 2)
    attend = layers.MultiHeadAttention(2, 5)
    model, path = _saved(folder, shape, lambda x: attend(x, x))
    with refuses(
        "If it attends along all axes, put a Reshape to three axes before it and one back after it; else port it by hand."
    ):
        port_model(path)
    around = layers.MultiHeadAttention(2, 5)

    def reshaped(x: Any) -> Any:
        steps = layers.Reshape((12, 2))(x)
        return layers.Reshape(shape)(around(steps, steps))

    other, path = _saved(folder, shape, reshaped)
    around.set_weights(attend.get_weights())
    other.save(path)
    _as_before(model, port_model(path), shape)


@case
def attention_with_an_output_of_two_axes(folder: Path) -> None:
    layers = keras.layers
    attend = layers.MultiHeadAttention(2, 5, output_shape=(3, 4))
    model, path = _saved(folder, (6, 2), lambda x: attend(x, x))
    with refuses("Use one number, and a Reshape after the layer."):
        port_model(path)
    flat = layers.MultiHeadAttention(2, 5, output_shape=12)
    other, path = _saved(folder, (6, 2), lambda x: layers.Reshape((6, 3, 4))(flat(x, x)))
    flat.set_weights([each.reshape(new.shape) for each, new in zip(attend.get_weights(), flat.get_weights(), strict=True)])
    other.save(path)
    _as_before(model, port_model(path), (6, 2))


def _doubled(x: Any) -> Any:
    return 2 * x


@case
def an_activation_of_ones_own(folder: Path) -> None:
    dense = keras.layers.Dense(3, activation=_doubled)
    model, path = _saved(folder, (4,), dense)
    with refuses("Save the model with activation='linear' there, and apply the function in the source."):
        port_model(path)
    dense.activation = keras.activations.linear
    model.save(path)
    port = port_model(path)
    dense.activation = _doubled
    _as_before(model, lambda x: 2 * port(x), (4,))


@case
def an_operation_with_arguments_that_torch_lacks(folder: Path) -> None:
    _, path = _saved(folder, (4, 2), lambda x: keras.ops.pad(x, ((0, 0), (1, 1), (0, 0)), mode="symmetric"))
    with refuses("Compute it otherwise before saving, or put it into a layer of your own and port that by hand."):
        port_model(path)
    model, path = _saved(folder, (4, 2), lambda x: keras.ops.concatenate([x[:, :1], x, x[:, -1:]], axis=1))
    _as_before(model, port_model(path), (4, 2))
