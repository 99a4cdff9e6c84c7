"""The loss of a translation; padding adds nothing to it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def masked_loss(target: Tensor, logits: Tensor) -> Tensor:
    """Return the cross-entropy averaged over all positions: padding adds nothing to it, but counts as a position.

    The tutorial divides by one more position, that of the start, for which there is no loss.

    `cross_entropy(..., ignore_index=0)` with its default mean is a different loss. It divides by the number of non-padding
    tokens, so the gradients grow with the share of padding in the batch.

    Args:
        target: (batch, time), token ids, 0 for padding.
        logits: (batch, time, vocab).
    """
    loss = functional.cross_entropy(logits.transpose(1, 2), target, reduction="none")
    mask = (target != 0).to(loss.dtype)
    return torch.mean(loss * mask)
