"""The loss of a translation; padding adds nothing to it."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def masked_loss(target: Any, logits: Any) -> Any:
    """Return the cross-entropy averaged over all positions: padding adds nothing to it, but counts as a position.

    The tutorial divides by one more position, that of the start, for which there is no loss.

    The tutorial's `SparseCategoricalCrossentropy(from_logits=True, reduction="none")` is an object with a dtype, float32 by
    default, to which it rounds the logits. The function does not round them.

    Args:
        target: (batch, time), token ids, 0 for padding.
        logits: (batch, time, vocab).
    """
    loss = keras.losses.sparse_categorical_crossentropy(target, logits, from_logits=True)
    mask = ops.cast(ops.not_equal(target, 0), loss.dtype)
    return ops.mean(loss * mask)
