"""Activations with numbers are the same in NumPy, torch and Keras, and have autograd's derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from frameworks import RecurrentSpec
from frameworks.activations import ACTIVATIONS, PRODUCTS
from frameworks.families import FAMILIES
from frameworks.keras_in_torch.layers.activations import find_activation

X = np.random.default_rng(0).normal(0, 2, 101)
BY_HAND = {
    "affine(0.7, -0.2)": 0.7 * X - 0.2,
    "elu(0.7)": np.where(X > 0, X, 0.7 * (np.exp(np.minimum(X, 0)) - 1)),
    "hard_sigmoid(0.7, 0.4)": np.minimum(np.maximum(0.7 * X + 0.4, 0), 1),
    "leaky_relu(0.7)": np.where(X > 0, X, 0.7 * X),
    "scaled_tanh(0.7, 1.2)": 0.7 * np.tanh(1.2 * X),
    "thresholded_relu(0.7)": np.where(X > 0.7, X, 0),
}
"""ONNX's definitions."""


def test_every_family_is_tested() -> None:
    assert {name.partition("(")[0] for name in BY_HAND} == set(FAMILIES)


@pytest.mark.parametrize("name", BY_HAND)
def test_it_is_the_same_in_numpy_and_in_torch_with_its_derivative(name: str) -> None:
    np.testing.assert_allclose(ACTIVATIONS[name](X), BY_HAND[name], rtol=0, atol=1e-14)
    x = torch.tensor(X, requires_grad=True)
    y = find_activation(name)(x)
    np.testing.assert_allclose(y.detach().numpy(), BY_HAND[name], rtol=0, atol=1e-14)
    dy = np.linspace(1, 2, len(X))
    (dx,) = torch.autograd.grad(y, x, torch.tensor(dy))
    np.testing.assert_allclose(np.asarray(PRODUCTS[name](X, dy)), dx.numpy(), rtol=0, atol=1e-14)


@pytest.mark.backend
@pytest.mark.parametrize("name", BY_HAND)
def test_it_is_the_same_in_keras_and_is_read_from_a_layer(name: str) -> None:
    import keras

    from frameworks import adapt
    from frameworks.keras.activations import ADDED
    from frameworks.keras.tensors import to_numpy

    np.testing.assert_allclose(to_numpy(ADDED[name](keras.ops.convert_to_tensor(X.astype("f4")))), BY_HAND[name], atol=1e-6)
    layer = keras.layers.Bidirectional(keras.layers.GRU(2, recurrent_activation=ADDED[name]))
    layer.build((None, None, 3))
    assert adapt(layer).spec.recurrent_activation == name


@pytest.mark.parametrize("name", ["leaky_relu()", "leaky_relu(x)", "leaky_relu(1, 2)", "leaky_relu(inf)", "gelu(1)", "elu(1)x"])
def test_other_names_are_refused(name: str, refused: Any) -> None:
    with refused("activation", "leaky_relu(0.01)"):
        RecurrentSpec("lstm", 2, 3, activation=name)
