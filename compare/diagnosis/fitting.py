"""Whether one array is another one, times a constant, rounded, or with its rows or columns in another order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
Order = tuple[int, ...]

_ULPS = 8
"""An array is the same if no number is farther off than this many units in the last place, of its largest number at most."""
_SAMPLE = 64
_HALF_STEPS = {"float16": 2.0**-11, "bfloat16": 2.0**-7, "decimals": 0.0}


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
        return (self.scale != 1) + bool(self.rounded) + bool(self.rows) + bool(self.columns)

    def apply(self, array: Array) -> Array:
        """Return what becomes of the array; a rounding is not repeated."""
        taken = array[list(self.rows)] if self.rows else array
        taken = taken[..., list(self.columns)] if self.columns else taken
        return taken * np.asarray(self.scale, taken.dtype) if self.scale != 1 else taken


def same(actual: Array, expected: Array) -> bool:
    """Return whether two arrays are the same but for the last places."""
    with np.errstate(all="ignore"):
        unit = np.finfo(actual.dtype).eps * _ULPS
        far = np.abs(actual - expected) > unit * np.maximum(np.abs(expected), np.abs(expected).max(initial=0) * 2.0**-6)
    return not far.any()


def fit(actual: Array, expected: Array, *, orders: bool = True) -> Fit | None:
    """Return how `actual` is made of `expected`, or None.

    Args:
        actual: (row, hidden) or (hidden,).
        expected: likewise, of the same shape.
        orders: whether rows and columns may be in another order.
    """
    if actual.shape != expected.shape or not np.isfinite(actual).all():
        return None
    direct = _scaled(actual, expected)
    if direct is not None or not orders or actual.ndim != 2:
        return direct
    return next(_reordered(actual, expected), None)


def _scaled(actual: Array, expected: Array) -> Fit | None:
    places = np.linspace(0, actual.size - 1, min(_SAMPLE, actual.size)).astype(int)
    one, other = actual.ravel()[places], expected.ravel()[places]
    if same(one, other) and same(actual, expected):
        return Fit()
    scale = _scale(one, other)
    if scale is None:
        return None
    scale = _scale(actual, expected)
    if scale is None:
        return None
    whole = 1.0 if abs(scale - 1) < 2e-3 else scale
    with np.errstate(all="ignore"):
        scaled = (expected * whole).astype(actual.dtype)
    if whole != 1 and same(actual, scaled):
        return Fit(whole)
    rounded = _rounding(actual, scaled)
    return Fit(whole, rounded) if rounded else None


def _scale(actual: Array, expected: Array) -> float | None:
    """Return the factor between two arrays, or None if they are not proportional, to within a rough rounding."""
    one, other = actual.astype(np.float64), expected.astype(np.float64)
    norm = float(np.vdot(other, other))
    if not norm or not float(np.vdot(one, one)):
        return None
    scale = float(np.vdot(one, other)) / norm
    left = float(np.linalg.norm(one - scale * other))
    return scale if left <= 0.05 * abs(scale) * norm**0.5 else None


def _rounding(actual: Array, expected: Array) -> str:
    """Return the rounding of which `actual` is the result, or ""."""
    error = np.abs(actual - expected)
    for name, kind in (("float16", np.float16), ("float32", np.float32)):
        if actual.dtype != kind and np.array_equal(actual.astype(kind).astype(actual.dtype), actual):
            step = np.finfo(kind).eps * (0.51 + 2 / actual.size**0.5) * np.abs(expected) + np.finfo(kind).smallest_subnormal
            if (error <= step).all():
                return name
    single = actual.astype(np.float32)
    if np.array_equal(single, actual) and not (np.ascontiguousarray(single).view(np.uint32) & 0xFFFF).any():
        return "bfloat16" if (error <= 2.0**-7 * np.abs(expected) + 1e-38).all() else ""
    for decimals in range(1, 7):
        step = 10.0**-decimals
        if (error <= step * 0.51).all() and np.abs(np.round(actual, decimals) - actual).max() <= 1e-6 * step:
            return f"{decimals} decimals"
    return _quantised(actual, error)


def _quantised(actual: Array, error: Array) -> str:
    """Recognise integers of eight bits with one factor, as after quantisation."""
    top = float(np.abs(actual).max())
    values = np.unique(actual)
    if not top or len(values) > 256 or actual.size <= len(values):
        return ""
    gaps = np.diff(values)
    step = float(gaps.min())
    on_grid = np.abs(gaps / step - np.round(gaps / step)).max() < 1e-2
    return "8 bits" if on_grid and (error <= 0.51 * step + 1e-12).all() else ""


def alike(actual: Array, expected: Array, *, within: float = 1e-5) -> bool:
    """Return whether two arrays may hold the same numbers in any order, times any factor: their moments agree."""
    one, other = _moments(actual), _moments(expected)
    return one is not None and other is not None and abs(one[1] / other[1] - 1) <= within * (1 + 100 / actual.size**0.5)


def _moments(array: Array) -> tuple[float, float] | None:
    """Return the sum of squares, and the kurtosis, which no factor changes; None for zeros and for what is not finite."""
    squares = np.square(array, dtype=np.float64).ravel()
    second = float(squares.sum())
    return (second, float(squares @ squares) / second**2) if second and np.isfinite(second) else None


def _same_numbers(actual: Array, expected: Array) -> bool:
    one, other = _moments(actual), _moments(expected)
    return one is not None and other is not None and abs(one[0] / other[0] - 1) <= 1e-5 and abs(one[1] / other[1] - 1) <= 1e-5


def _reordered(actual: Array, expected: Array) -> Iterator[Fit]:
    """Yield orders of the rows, the columns, or both, that make the two the same."""
    if not _same_numbers(actual, expected):
        return
    rows = _order(actual, expected)
    if rows is not None and same(actual, expected[list(rows)]):
        yield Fit(rows=rows)
    columns = _order(actual.T, expected.T)
    if columns is not None and same(actual, expected[:, list(columns)]):
        yield Fit(columns=columns)
    rows, columns = _order(np.sort(actual, axis=1), np.sort(expected, axis=1)), _order(np.sort(actual.T), np.sort(expected.T))
    if rows is not None and columns is not None and same(actual, expected[list(rows)][:, list(columns)]):
        yield Fit(rows=rows, columns=columns)


def _order(actual: Array, expected: Array) -> Order | None:
    """Return, for each row, the number of the row of `expected` that it is, or None; rows that are equal are taken in order."""
    known: dict[bytes, list[int]] = {}
    for index, row in enumerate(np.ascontiguousarray(expected) + 0.0):  # + 0.0 makes -0.0 the same as 0.0
        known.setdefault(row.tobytes(), []).append(index)
    found = []
    for row in np.ascontiguousarray(actual) + 0.0:
        left = known.get(row.tobytes())
        if not left:
            return None
        found.append(left.pop(0))
    return tuple(found)
