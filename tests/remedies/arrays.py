"""What the cases share: small layers with random weights, inputs, and a comparison of numbers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import keras
import numpy as np
import torch

LAYERS = keras.layers


def drawn(*shape: int, seed: int = 1, dtype: str = "float32") -> Any:
    """Return random numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


X = drawn(2, 5, 3)
"""(batch, time, input)."""


def filled(layer: Any, inputs: Any = X) -> Any:
    """Build a Keras layer or model by a call, and fill its weights with random numbers, biases included."""
    layer(inputs)
    rng = np.random.default_rng(0)
    layer.set_weights([rng.normal(0, 0.4, weight.shape).astype(weight.dtype) for weight in layer.get_weights()])
    return layer


def lstm(**options: Any) -> Any:
    """Return a Keras LSTM of 4 units."""
    return filled(LAYERS.LSTM(4, **options))


def array(result: Any) -> Any:
    """Return a result of either framework as NumPy."""
    return result.detach().numpy() if isinstance(result, torch.Tensor) else np.asarray(result)


def tensor(values: Any = X) -> Any:
    """Return an array as a torch tensor."""
    return torch.from_numpy(np.array(values))


@contextmanager
def deprecated() -> Iterator[None]:
    """Use a function that torch deprecates, such as torch.jit.trace."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def uncompiled() -> Iterator[None]:
    """Train without compiling: that takes longer than a few steps."""
    tensorflow: Any = import_module("tensorflow")
    tensorflow.config.run_functions_eagerly(run_eagerly=True)
    try:
        yield
    finally:
        tensorflow.config.run_functions_eagerly(run_eagerly=False)


def close(actual: Any, expected: Any, tolerance: float = 1e-5) -> None:
    """Assert that two results are of one shape and agree; lists are compared item by item."""
    if isinstance(expected, (list, tuple)):
        for one, other in zip(actual, expected, strict=True):
            close(one, other, tolerance)
        return
    one, other = array(actual), array(expected)
    assert one.shape == other.shape
    assert np.abs(one - other).max() <= tolerance
