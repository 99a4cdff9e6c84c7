"""Models and their ports, and Keras's own `fit` to compare with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def eagerly() -> Iterator[None]:
    """Run without compiling, which would take longer than the few steps."""
    import keras

    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(run_eagerly=True)
    yield
    tf.config.run_functions_eagerly(run_eagerly=False)


@pytest.fixture
def floatx64() -> Iterator[None]:
    """Compute in float64: Keras's `fit` sums several losses in its floatx, and raises an error for others."""
    import keras

    policy = keras.config.dtype_policy()  # made from floatx when first asked for
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy(policy)


Fit = Callable[[Any, Any, Any, int], tuple[list[float], list[Any]]]


@pytest.fixture
def fit() -> Fit:
    """Return a function that trains a copy of a model with Keras's own train step."""
    import keras

    def train(model: Any, loss: Any, batch_of: Any, steps: int) -> tuple[list[float], list[Any]]:
        """Return the loss before each step, and the weights at the end."""
        own = keras.models.clone_model(model)
        own.set_weights(model.get_weights())
        own.compile(keras.optimizers.SGD(0.125), loss)
        losses = []
        for step in range(steps):
            x, y, *weights = batch_of(step)
            losses.append(float(np.asarray(own.train_on_batch(x, y, sample_weight=weights[0] if weights else None))))
            own.reset_metrics()
        return losses, own.get_weights()

    return train
