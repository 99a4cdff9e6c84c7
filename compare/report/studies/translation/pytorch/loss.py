"""The loss of a translation, which leaves padding out."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def masked_loss(target: Tensor, logits: Tensor) -> Tensor:
    """Return the cross-entropy of the tokens that count, as a share of all: padding adds nothing, and counts as a position.

    The tutorial divides by one position more, that of the start, which no loss is computed for.

    `cross_entropy(..., ignore_index=0)` with its own reduction is another loss: it divides by the tokens that count, so that
    the more padding a batch has, the larger its gradients are.

    Args:
        target: (batch, time), token numbers, 0 for padding.
        logits: (batch, time, vocab).
    """
    loss = functional.cross_entropy(logits.transpose(1, 2), target, reduction="none")
    mask = (target != 0).to(loss.dtype)
    return torch.mean(loss * mask)
