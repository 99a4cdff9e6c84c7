"""The loss of a translation, which leaves padding out."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def masked_loss(target: Any, logits: Any) -> Any:
    """Return the cross-entropy of the tokens that count, as a share of all: padding adds nothing, and counts as a position.

    The tutorial divides by one position more, that of the start, which no loss is computed for.

    The tutorial's `SparseCategoricalCrossentropy(from_logits=True, reduction="none")` is an object with a dtype of its own,
    float32 unless told otherwise, to which it rounds the logits; the function leaves them as they are.

    Args:
        target: (batch, time), token numbers, 0 for padding.
        logits: (batch, time, vocab).
    """
    loss = keras.losses.sparse_categorical_crossentropy(target, logits, from_logits=True)
    mask = ops.cast(ops.not_equal(target, 0), loss.dtype)
    return ops.mean(loss * mask)
