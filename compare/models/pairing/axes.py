"""The axes of arrays that two frameworks lay out differently, and how far two arrays are apart."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.models.recording.recorded import Recorded, innermost
from frameworks.registry import owner_name

Array = npt.NDArray[Any]


def difference(one: Array | None, two: Array | None) -> float | None:
    """Return the largest difference; None for arrays of different shapes, infinity where one is not a number."""
    if one is None or two is None or one.shape != two.shape:
        return None
    with np.errstate(invalid="ignore"):
        off = np.abs(one.astype(float) - two.astype(float))
    return math.inf if np.isnan(off).any() else float(off.max(initial=0))


def laid_out(array: Array, own: Array, expected: Recorded, actual: Recorded, *, exact: bool = True) -> Array | None:
    """Return an array of the expected layer with its axes as the actual layer has them; None if it cannot have its shape.

    Args:
        array: what the expected layer gets or returns.
        own: what the actual one gets or returns in its place: of several layouts, the one that is equal to it is chosen, and
            otherwise the first.
        expected: the call of the expected layer.
        actual: the call of the actual layer.
        exact: whether the sizes must be those of `own`; otherwise its rank is enough.
    """
    layouts = [each for each in _layouts(array, own, expected, actual) if each.ndim == own.ndim]
    fitting = [each for each in layouts if each.shape == own.shape]
    if not fitting:
        return layouts[0] if layouts and not exact else None
    if len(fitting) == 1:
        return fitting[0]
    allowed = 1e-4 * max(1.0, float(np.abs(own[np.isfinite(own)]).max(initial=0)))
    return next((each for each in fitting if (difference(each, own) or 0.0) <= allowed), fitting[0])


def _layouts(array: Array, own: Array, expected: Recorded, actual: Recorded) -> Iterator[Array]:
    rule = expected.family.axes if expected.family == actual.family else "any"
    for each in _ranks(array, own):
        if rule == "channels":
            yield np.moveaxis(each, channel_axis(expected, each), channel_axis(actual, own))
            if channel_axis(expected, each) == channel_axis(actual, own):
                continue
        elif rule == "last":
            yield from (each.transpose(*order, each.ndim - 1) for order in permutations(range(each.ndim - 1)))
        else:
            yield from (each.transpose(order) for order in permutations(range(each.ndim)))


def _ranks(array: Array, own: Array) -> Iterator[Array]:
    """Yield the array, and with its leading axes merged or split: layers may run on all time steps as on rows."""
    rank = own.ndim
    if array.ndim == rank:
        yield array
    elif 0 < rank < array.ndim:
        yield array.reshape(-1, *array.shape[array.ndim - rank + 1 :])
        if array.ndim == 3:
            yield array.swapaxes(0, 1).reshape(-1, *array.shape[2:])
    elif rank > array.ndim > 0:
        leading = own.shape[: rank - array.ndim + 1]
        if int(np.prod(leading)) == len(array):
            yield array.reshape(*leading, *array.shape[1:])


def channel_axis(call: Recorded, array: Array) -> int:
    """Return the axis of the channels in what a layer gets or returns."""
    native = innermost(call.native)
    if owner_name(native) == "pytorch":
        return min(1, array.ndim - 1)
    axis = getattr(native, "axis", None)
    if isinstance(axis, int):
        return axis % array.ndim
    return 1 if getattr(native, "data_format", "") == "channels_first" else array.ndim - 1
