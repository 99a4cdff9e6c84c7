"""Keras's optimizers and embeddings on TensorFlow, where the gradient has one unsummed row per token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.report.results import Results, Value, control, exact, measured
from frameworks.keras_in_torch.optimizers.fates import FATES

STEPS = 2
_WORDS, _UNITS, _RATE = 6, 4, 0.01
_BATCHES = {"a token twice": [[1, 1, 2], [1, 3, 2]], "each token once": [[0, 1, 2], [3, 4, 5]]}
_ROUNDING = 1e-12
REMEDY = """\
with tf.GradientTape() as tape:
    loss = loss_of(model(x, training=True), y)
gradients = tape.gradient(loss, model.trainable_variables)
gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]      # sums the rows of a token
optimizer.apply(gradients, model.trainable_variables)
"""


def run(progress: Callable[[str], None]) -> Results:
    """Train an embedding with Keras's training step, and with the rows of each token summed first."""
    progress(f"{STEPS} steps of each optimizer")
    followed = [name for name, fate in FATES.items() if fate.rule is not None]
    return {
        "steps": exact(STEPS),
        "rate": exact(_RATE),
        "remedy": exact(REMEDY),
        "optimizers": {
            name: {
                "a token twice": _judged(_distance(name, _BATCHES["a token twice"])),
                "each token once": measured(_distance(name, _BATCHES["each token once"]), _ROUNDING),
            }
            for name in followed
        },
    }


def _judged(distance: float) -> Value:
    """Treat a distance larger than rounding as the size of a mistake."""
    return control(distance) if distance > _ROUNDING else measured(distance, _ROUNDING)


def _distance(name: str, tokens: list[list[int]]) -> float:
    """Return the distance between the two trainings at the end."""
    import keras

    ends = []
    for train in (_by_itself, _added_up):
        start = np.random.default_rng(1).normal(size=(_WORDS, _UNITS))
        layer = keras.layers.Embedding(
            _WORDS, _UNITS, dtype="float64", embeddings_initializer=keras.initializers.Constant(start)
        )
        model = keras.Sequential([keras.Input((3,), dtype="int32"), layer])
        train(model, getattr(keras.optimizers, name)(_RATE), np.array(tokens, np.int32))
        ends.append(model.get_weights()[0])
    return float(np.abs(ends[0] - ends[1]).max())


def _by_itself(model: Any, optimizer: Any, tokens: npt.NDArray[np.int32]) -> None:
    import keras

    # Compiling would take longer than the few steps; the optimizer gets the same rows either way.
    model.compile(optimizer, keras.losses.MeanSquaredError(dtype="float64"), run_eagerly=True)
    for _ in range(STEPS):
        model.train_on_batch(tokens, _targets(tokens))


def _added_up(model: Any, optimizer: Any, tokens: npt.NDArray[np.int32]) -> None:
    import keras
    import tensorflow as tf

    loss_of = keras.losses.MeanSquaredError(dtype="float64")
    optimizer.build(model.trainable_variables)
    for _ in range(STEPS):
        with tf.GradientTape() as tape:
            loss = loss_of(_targets(tokens), model(tokens, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply([tf.convert_to_tensor(gradient) for gradient in gradients], model.trainable_variables)


def _targets(tokens: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    return np.random.default_rng(2).normal(size=(*tokens.shape, _UNITS))
