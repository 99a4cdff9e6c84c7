"""The largest difference between two arrays of files, read in blocks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.parity.difference import Difference, measure
from frameworks.files.writing.blocks import Tensor

Array = npt.NDArray[Any]


def measure_stored(expected: Tensor, actual: Tensor) -> Difference:
    """Measure the largest absolute difference in float64, as `measure` does, with a few blocks in memory at a time."""
    if expected.shape != actual.shape:
        return Difference(expected.shape, math.inf, None, 1.0, actual.shape)
    worst, place, scale, start = 0.0, None, 1.0, 0
    for one, other in _aligned(expected, actual):
        part = measure(one, other)
        scale = max(scale, part.scale)
        if part.index is not None and (place is None or _exceeds(part.max_abs, worst)):
            worst, place = part.max_abs, start + part.index[0]
        start += len(one)
    index = None if place is None else tuple(map(int, np.unravel_index(place, expected.shape)))
    return Difference(expected.shape, worst, index, scale)


def measure_constant(expected: Tensor, value: float) -> Difference:
    """Measure the largest absolute difference from an array of equal numbers."""
    return measure_stored(expected, Tensor(expected.shape, expected.dtype, lambda: _constant(expected, value)))


def size_of_error(error: float) -> float:
    """Return an error as a number to sort by: NaN is the largest."""
    return math.inf if math.isnan(error) else error


def _constant(like: Tensor, value: float) -> Iterator[Array]:
    for block in like.blocks():
        yield np.full_like(block, value)


def _exceeds(error: float, worst: float) -> bool:
    return error > worst or (math.isnan(error) and not math.isnan(worst))


def _aligned(expected: Tensor, actual: Tensor) -> Iterator[tuple[Array, Array]]:
    """Yield the elements of two arrays of one shape in parts of equal size, flat."""
    left, right = (each.reshape(-1) for each in expected.blocks()), (each.reshape(-1) for each in actual.blocks())
    one, other = next(left, None), next(right, None)
    while one is not None and other is not None:
        size = min(len(one), len(other))
        yield one[:size], other[:size]
        one = one[size:] if size < len(one) else next(left, None)
        other = other[size:] if size < len(other) else next(right, None)
