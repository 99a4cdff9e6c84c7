"""Whether one array is another one, times a constant, rounded, or with its rows or columns in another order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from compare.diagnosis.weights.rounding import rounding_of

Array = npt.NDArray[np.floating]
Order = tuple[int, ...]

_ULPS = 8
"""An array is the same if no number is farther off than this many units in the last place, of its largest number at most."""
_SAMPLE = 64
_ROUGH = 0.3
"""The share that even the roughest rounding leaves of an array."""
_FEWEST = 3
"""So many numbers must have one factor before it is called one."""


@dataclass(frozen=True)
class Fit:
    """How an array is made of another one.

    Args:
        scale: the factor.
        rounded: the rounding, such as "float16" or "3 decimals"; "" if there is none.
        rows: for each row the number of the row that it was, or () if they are in order.
        columns: likewise for the columns, the hidden units.
    """

    scale: float = 1.0
    rounded: str = ""
    rows: Order = ()
    columns: Order = ()

    @property
    def cost(self) -> int:
        """The number of mistakes that it takes."""
        return (self.scale != 1) + bool(self.rounded) + bool(self.rows or self.columns)

    def apply(self, array: Array) -> Array:
        """Return what becomes of the array; a rounding is not repeated."""
        taken = array[list(self.rows)] if self.rows else array
        taken = taken[..., list(self.columns)] if self.columns else taken
        return taken * np.asarray(self.scale, taken.dtype) if self.scale != 1 else taken


EXACT = Fit()
"""The fit of an array that is the other one."""


def same(actual: Array, expected: Array) -> bool:
    """Return whether two arrays are the same but for the last places."""
    with np.errstate(all="ignore"):
        unit = np.finfo(actual.dtype).eps * _ULPS
        near = np.abs(actual - expected) <= unit * np.maximum(np.abs(expected), np.abs(expected).max(initial=0) * 2.0**-6)
    return bool(near.all())


def fit(actual: Array, expected: Array) -> Fit | None:
    """Return how `actual` is made of `expected`, rows and columns in order, or None.

    Args:
        actual: (row, hidden) or (hidden,).
        expected: likewise, of the same shape.
    """
    places = np.linspace(0, actual.size - 1, min(_SAMPLE, actual.size)).astype(int)
    one, other = actual.ravel()[places], expected.ravel()[places]
    if same(one, other) and same(actual, expected):
        return EXACT
    if not actual.any() or _factor(one, other) is None:
        return None
    factor = _factor(actual, expected)
    if factor is None:
        return None
    for scale in dict.fromkeys((1.0, float(f"{factor:.3g}"), factor)):
        if abs(scale / factor - 1) > _ROUGH or (scale != 1 and np.count_nonzero(actual) < _FEWEST):
            continue
        scaled = (expected * scale).astype(actual.dtype)
        if same(actual, scaled):
            return Fit(scale)
        rounded = rounding_of(actual, scaled)
        if rounded:
            return Fit(scale, rounded)
    return None


def _factor(actual: Array, expected: Array) -> float | None:
    """Return the positive factor between two arrays, or None if they are not proportional, to within a rough rounding."""
    one, other = actual.astype(np.float64).ravel(), expected.astype(np.float64).ravel()
    norm, product = float(other @ other), float(one @ other)
    if not norm or not np.isfinite(norm) or not product > 0:
        return None
    factor = product / norm
    return factor if float(np.linalg.norm(one - factor * other)) <= _ROUGH * factor * norm**0.5 else None


def fit_reordered(actual: Array, expected: Array) -> Fit | None:
    """Return how `actual` is made of `expected`, rows or columns or both in another order, or None.

    Args:
        actual: (row, hidden) or (hidden,).
        expected: likewise, of the same shape.
    """
    if not alike(actual, expected, within=2e-5 + 0.05 / actual.size**0.5):
        return None
    size = float(np.linalg.norm(actual.astype(np.float64)) / np.linalg.norm(expected.astype(np.float64)))
    for candidate in _orders(np.atleast_2d(actual / size), np.atleast_2d(expected)):
        if candidate.rows or candidate.columns:
            found = fit(actual, candidate.apply(expected))
            if found is not None:
                return replace(found, rows=candidate.rows, columns=candidate.columns)
    return None


def _orders(actual: Array, expected: Array) -> Iterator[Fit]:
    yield Fit(rows=_order(actual, expected))
    yield Fit(columns=_order(actual.T, expected.T))
    rows, columns = _order(np.sort(actual), np.sort(expected)), _order(np.sort(actual.T), np.sort(expected.T))
    yield Fit(rows=rows, columns=columns)


def _order(actual: Array, expected: Array) -> Order:
    """Return, for each row, the number of the nearest row of `expected` that is not taken yet; () if they are in order."""
    places = np.linspace(0, actual.shape[1] - 1, min(_SAMPLE, actual.shape[1])).astype(int)
    one, other = actual[:, places].astype(np.float64), expected[:, places].astype(np.float64)
    far = (one**2).sum(1)[:, None] - 2 * one @ other.T + (other**2).sum(1)
    unit = 1e-12 * float(np.abs(far).max(initial=0))
    taken = []
    for index, row in enumerate(far):
        nearest = index if row[index] <= row.min() + unit else int(row.argmin())
        far[:, nearest] = np.inf
        taken.append(nearest)
    return () if taken == list(range(len(taken))) else tuple(taken)


def alike(actual: Array, expected: Array, *, within: float) -> bool:
    """Return whether two arrays may hold the same numbers in any order, times a factor, rounded: their moments agree."""
    one, other = kurtosis(actual), kurtosis(expected)
    return one is not None and other is not None and abs(one / other - 1) <= within


def kurtosis(array: Array) -> float | None:
    """Return the mean fourth power by the squared mean square, which no order or factor changes; None for zeros or NaN."""
    squares = np.square(array, dtype=np.float64).ravel()
    second = float(squares.mean())
    return float(squares @ squares) / squares.size / second**2 if second and np.isfinite(second) else None
