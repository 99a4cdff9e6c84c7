"""Several masks as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from frameworks.models.graph import GivenMask, MadeMask, Mask, MergedMask, Shape, Tensor


def merged(how: str, masks: Sequence[Mask | None]) -> Mask | None:
    """Return the mask of a result that is computed from several tensors step by step.

    Args:
        how: "and" counts a tensor without a mask as valid everywhere, and so does "or", which then makes no mask.
        masks: the masks of the tensors.
    """
    if not any(masks) or (how == "or" and not all(masks)):
        return None
    parts: dict[Mask, None] = {}
    for mask in masks:
        if isinstance(mask, MergedMask) and mask.how == how:
            parts.update(dict.fromkeys(each for each in mask.masks if each is not None))
        elif mask is not None:
            parts[mask] = None
    return next(iter(parts)) if len(parts) == 1 else MergedMask(how, tuple(parts))


def concatenated(
    how: str, masks: Sequence[Mask | None], tensors: Sequence[Tensor], axis: Any, shapes: Mapping[Tensor, Shape]
) -> Mask | None:
    """Return the mask of concatenated tensors: along an axis of the masks they are joined, along any other one merged.

    Args:
        how: "and" or "or".
        masks: the masks of the tensors.
        tensors: the tensors.
        axis: the axis of the tensors, possibly counted from the last.
        shapes: the shapes of tensors, as far as they are known.
    """
    first = next((mask for mask in masks if mask is not None), None)
    if first is None:
        return None
    rank = next((len(shapes[each]) for each in tensors if each in shapes), 3)
    place = axis + rank if type(axis) is int and axis < 0 else axis
    if type(place) is int and 0 < place < _rank(first, shapes):
        return MergedMask("joined", tuple(masks), tuple(tensors), place)
    return merged(how, masks)


def _rank(mask: Mask, shapes: Mapping[Tensor, Shape]) -> int:
    """Return the number of axes of a mask; two if it is not known."""
    if isinstance(mask, GivenMask) and mask.tensor in shapes:
        return len(shapes[mask.tensor])
    if isinstance(mask, MadeMask) and mask.read in shapes:
        return max(2, len(shapes[mask.read]) - 1)
    return 2
