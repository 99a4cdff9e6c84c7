"""Measuring the largest difference between two arrays, and its place."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Difference:
    """The largest difference between two arrays.

    Args:
        shape: the shape of the expected array.
        max_abs: the largest absolute difference; NaN if either array contains NaN, inf if the shapes differ.
        index: the index of that difference, or None if nothing was compared or the shapes differ.
        scale: max(1, max |expected|) over finite values, by which a tolerance is multiplied.
        other_shape: the shape of the actual array if it differs, or None.
    """

    shape: tuple[int, ...]
    max_abs: float
    index: tuple[int, ...] | None
    scale: float
    other_shape: tuple[int, ...] | None = None

    @property
    def needed(self) -> float:
        """The smallest tolerance that passes: max_abs / scale, corrected because tolerance times scale is rounded."""
        least = self.max_abs / self.scale
        if least == 0 or not math.isfinite(least):
            return least
        while least * self.scale < self.max_abs:
            least = math.nextafter(least, math.inf)
        while (less := math.nextafter(least, 0)) * self.scale >= self.max_abs:
            least = less
        return least


def measure(expected: Array, actual: Array, counts: npt.NDArray[np.bool_] | None = None) -> Difference:
    """Measure the largest absolute difference in float64; equal infinities do not differ, and NaN equals nothing.

    Args:
        expected: an array of any shape.
        actual: an array of the same shape; another shape is a difference, nothing is broadcast.
        counts: bool over the leading axes, False where nothing is compared.
    """
    if expected.shape != actual.shape:
        return Difference(expected.shape, math.inf, None, 1.0, actual.shape)
    with np.errstate(invalid="ignore"):  # a signalling NaN warns when it is cast
        wide, other = expected.astype(np.float64), actual.astype(np.float64)
        distance = np.where(wide == other, 0.0, np.abs(wide - other))
    if counts is not None:
        kept = np.broadcast_to(counts.reshape(counts.shape + (1,) * (wide.ndim - counts.ndim)), wide.shape)
        distance, wide = np.where(kept, distance, 0.0), np.where(kept, wide, 0.0)
    scale = float(np.max(np.abs(wide), initial=1.0, where=np.isfinite(wide)))
    if not distance.size:
        return Difference(expected.shape, 0.0, None, scale)
    index = np.unravel_index(np.argmax(distance), distance.shape)  # argmax treats NaN as the largest
    return Difference(expected.shape, float(distance[index]), tuple(map(int, index)), scale)
