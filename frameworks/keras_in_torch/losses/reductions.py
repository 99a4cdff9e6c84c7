"""Keras's masks, sample weights and reductions of a loss.

Source: keras/src/losses/loss.py, `apply_mask`, `reduce_weighted_values` and `squeeze_or_expand_to_same_rank`.
"""

from __future__ import annotations

import torch

from frameworks.errors import InvalidTypeError, InvalidValueError

Tensor = torch.Tensor

MEANS = ("sum_over_batch_size", "mean")
REDUCTIONS = (*MEANS, "mean_with_sample_weight", "sum", "none", None)


def reduced(each: Tensor, mask: Tensor | None, sample_weight: Tensor | None, reduction: str | None) -> Tensor:
    """Reduce the losses of all elements as Keras does.

    Args:
        each: the loss of each element, (*batch,).
        mask: True at each element that counts, (*batch,), or with axes of length 1 for all elements along them.
        sample_weight: the weight of each element, shaped like a mask.
        reduction: one of REDUCTIONS.

    Returns:
        A scalar, or the weighted losses (*batch,) without a reduction.

    Raises:
        GatewiseError: for a mask or weights of another rank or size, and a mask that is not boolean.
    """
    mask, sample_weight = (_fitting(name, one, each) for name, one in (("mask", mask), ("sample_weight", sample_weight)))
    weights = None if sample_weight is None else sample_weight.to(each.dtype)
    if mask is not None:
        counts = mask.to(each.dtype)
        if reduction in MEANS:  # the mean over the elements that count, once divided by the number of all
            counts = counts * _divided(torch.tensor(mask.numel(), dtype=each.dtype), counts.sum())
        weights = counts if weights is None else weights * counts
    values = each if weights is None else each * weights
    if reduction in ("none", None) or not values.ndim:
        return values
    total = values.sum()
    if reduction == "sum":
        return total
    number = torch.tensor(values.numel(), dtype=each.dtype)
    return _divided(total, number if weights is None or reduction in MEANS else weights.sum())


def of_one_rank(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Drop a last axis of length 1 that the other tensor lacks, as Keras does: (batch, 1) and (batch,) would broadcast.

    If the other tensor is a vector, it gets that axis instead.
    """
    if one.ndim < other.ndim:
        return of_one_rank(other, one)[::-1]
    if one.ndim != other.ndim + 1 or one.shape[-1] != 1:
        return one, other
    return (one, other.unsqueeze(-1)) if other.ndim == 1 else (one.squeeze(-1), other)


def require_fitting(name: str, given: tuple[int, ...], losses: tuple[int, ...]) -> None:
    """Require the shape of a mask or of weights to broadcast to that of the losses without a new axis.

    Raises:
        GatewiseError: for any other shape. Keras fails on most of them; (batch,) for (batch, time) it broadcasts along time if
            the two are equally long.
    """
    fits = given[:-1] if len(given) == len(losses) + 1 and given[-1] == 1 else given
    if len(fits) != len(losses) or any(one not in (1, other) for one, other in zip(fits, losses, strict=True)):
        raise InvalidValueError.because(
            name,
            must=f"have the shape {losses} of the losses, or 1 along some of its axes",
            but=f"has {given}",
            remedy=f"One value per sample has the shape {(*losses[:1], *(1 for _ in losses[1:]))}.",
        )


def _fitting(name: str, given: Tensor | None, each: Tensor) -> Tensor | None:
    """Require a mask or weights that broadcast to the losses without a new axis, and move them to their device."""
    if given is None:
        return None
    if name == "mask" and given.dtype != torch.bool:
        raise InvalidTypeError.because(
            "the mask",
            must="be boolean, True where an element counts",
            but=f"is {given.dtype}",
            remedy="Pass `mask != 0`; weights belong in sample_weight.",
        )
    require_fitting(name, tuple(given.shape), tuple(each.shape))
    return (given.squeeze(-1) if given.ndim > each.ndim else given).to(each.device)


def _divided(one: Tensor, other: Tensor) -> Tensor:
    """Divide; return 0 for a division by 0."""
    return torch.where(other == 0, torch.zeros_like(one), one / torch.where(other == 0, torch.ones_like(other), other))
