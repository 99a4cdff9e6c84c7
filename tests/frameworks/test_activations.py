"""The activations of the reference are Keras's: the expected numbers are computed by Keras."""

from __future__ import annotations

import numpy as np
import pytest

from frameworks.activations import ACTIVATIONS, PRODUCTS

GRID = np.linspace(-9, 9, 1001).reshape(11, 91)
ROUNDED_BY_TENSORFLOW = {"gelu", "leaky_relu", "selu", "hard_sigmoid", "hard_silu", "celu"}
"""TensorFlow keeps their constants in float32."""


@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS) - {"keras2_hard_sigmoid"}))
def test_an_activation_is_what_keras_computes(name: str) -> None:
    import keras

    expected = keras.ops.convert_to_numpy(keras.activations.get(name)(keras.ops.convert_to_tensor(GRID, dtype="float64")))
    allowed = 2e-6 if name in ROUNDED_BY_TENSORFLOW else 1e-12
    np.testing.assert_allclose(ACTIVATIONS[name](GRID), expected, rtol=allowed, atol=allowed)


def test_every_elementwise_activation_of_keras_is_there() -> None:
    import keras

    offered = {
        name for name in dir(keras.activations) if callable(getattr(keras.activations, name)) and not name.startswith("_")
    }
    without = {"deserialize", "get", "serialize", "glu", "hard_shrink", "soft_shrink", "threshold", "squareplus", "sparsemax"}
    without |= {"sparse_plus", "sparse_sigmoid", "swish", "hard_swish"}
    assert offered - without <= set(ACTIVATIONS)


def test_hard_sigmoid_changed_its_meaning_after_keras_2() -> None:
    import tf_keras

    expected = tf_keras.activations.hard_sigmoid(tf_keras.backend.constant(GRID)).numpy()
    np.testing.assert_allclose(ACTIVATIONS["keras2_hard_sigmoid"](GRID), expected, rtol=0, atol=1e-7)
    assert np.abs(ACTIVATIONS["hard_sigmoid"](GRID) - expected).max() == pytest.approx(1 / 12, abs=1e-3)


CORNERS = {
    "relu": (0,),
    "relu6": (0, 6),
    "leaky_relu": (0,),
    "elu": (0,),
    "hard_sigmoid": (-3, 3),
    "keras2_hard_sigmoid": (-2.5, 2.5),
    "hard_silu": (-3, 3),
    "hard_shrink": (-0.5, 0.5),
    "soft_shrink": (-0.5, 0.5),
    "sparse_plus": (-1, 1),
}
"""Corners at which Keras and torch agree on a slope, which no finite difference can check."""


@pytest.mark.parametrize("name", CORNERS)
def test_at_a_corner_an_activation_has_the_slope_that_both_frameworks_use(name: str) -> None:
    import keras
    import torch

    from frameworks.keras.activations import ADDED
    from frameworks.keras.gradients import pull_back
    from frameworks.keras_in_torch.layers.activations import ACTIVATIONS as IN_TORCH

    x = np.array([CORNERS[name]], dtype="float64")
    found = PRODUCTS[name](x, np.ones_like(x))
    given = torch.tensor(x, requires_grad=True)
    (slope,) = torch.autograd.grad(IN_TORCH[name](given).sum(), given)
    np.testing.assert_allclose(found, slope.numpy(), rtol=0, atol=1e-7)
    function = ADDED.get(name) or keras.activations.get(name)
    tensor = keras.ops.convert_to_tensor(x, dtype="float64")
    (other,) = pull_back(lambda x: [function(x)], [tensor], [], [keras.ops.ones_like(tensor)], backend="tensorflow")
    np.testing.assert_allclose(found, np.asarray(other), rtol=0, atol=1e-7)
