"""The rounding of which an array is the result: a smaller dtype, decimals, or integers of eight bits."""

from __future__ import annotations

from math import log10

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]

_BY_CHANCE = -6.0
"""The logarithm of the probability at which an array is taken to lie on a grid by chance."""
_LEVELS = 255
"""The number of steps from zero to the largest number that integers of eight bits have, at most."""
_OFF_GRID = 1e-3
_FEWEST = 5
"""So many numbers must lie on a grid whose step the largest number of each column gives."""
_SAMPLE = 16


def rounding_of(actual: Array, exact: Array) -> str:
    """Return the rounding that makes `actual` of `exact`, such as "float16" or "3 decimals"; "" if there is none.

    Args:
        actual: (row, hidden) or (hidden,).
        exact: likewise, the numbers before they were rounded.
    """
    error = np.abs(actual - exact)
    return _dtype(actual, exact, error) or _decimals(actual, error) or _eight_bits(actual, error)


ROUNDINGS = ("float16", "bfloat16", "4 decimals", "3 decimals", "2 decimals", "1 decimals")
"""Roundings of each number on its own."""


def round_like(array: Array, rounding: str) -> Array:
    """Round an array to a dtype, or to decimals."""
    if rounding in ("float16", "float32"):
        return array.astype(rounding).astype(array.dtype)
    if rounding == "bfloat16":
        bits = np.ascontiguousarray(array, np.float32).view(np.uint32).astype(np.uint64)
        even = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
        return even.astype(np.uint32).view(np.float32).astype(array.dtype)
    return np.round(array, int(rounding.split(maxsplit=1)[0]))


def _dtype(actual: Array, exact: Array, error: Array) -> str:
    for name, kind in (("float16", np.float16), ("float32", np.float32)):
        if actual.dtype == kind or not np.array_equal(actual.astype(kind).astype(actual.dtype), actual):
            continue
        step = np.finfo(kind).eps * (0.51 + 2 / actual.size**0.5) * np.abs(exact) + np.finfo(kind).smallest_subnormal
        if (error <= step).all():
            return name
    single = actual.astype(np.float32)
    if np.array_equal(single, actual) and not (np.ascontiguousarray(single).view(np.uint32) & 0xFFFF).any():
        return "bfloat16" if (error <= 2.0**-7 * np.abs(exact) + 1e-38).all() else ""
    return ""


def _decimals(actual: Array, error: Array) -> str:
    wide = actual.astype(np.float64)
    unit = float(np.finfo(actual.dtype).eps * np.abs(wide).max(initial=0))
    for decimals in range(1, 7):
        step = 10.0**-decimals
        share = min(1.0, 4 * unit / step)
        if (error > step * 0.51).any() or (share and log10(share) * actual.size > _BY_CHANCE):
            continue
        if np.abs(np.round(wide, decimals) - wide).max() <= 2 * unit:
            return f"{decimals} decimals"
    return ""


def _eight_bits(actual: Array, error: Array) -> str:
    """Recognise integers with one factor for the block, or one for each hidden unit."""
    for name, columns, errors in (
        ("8 bits", actual.reshape(-1, 1), error.reshape(-1, 1)),
        ("8 bits, a factor for each unit", actual, error),
    ):
        if columns.ndim == 2 and np.count_nonzero(columns) >= columns.shape[1] + _FEWEST and _on_grid(columns, errors):
            return name
    return ""


def _on_grid(columns: Array, errors: Array) -> bool:
    """Return whether the numbers of each column are integers up to 255 times a factor, nearest to the exact ones."""
    top = np.abs(columns).max(axis=0)
    if not top.all():
        return False
    places = np.linspace(0, len(columns) - 1, min(_SAMPLE, len(columns))).astype(int)
    few, few_errors = columns[places], errors[places]
    steps = top / np.arange(1, _LEVELS + 1)[:, None]
    fits = np.ones(steps.shape, bool)
    for row, row_errors in zip(few, few_errors, strict=True):
        counts = row / steps
        fits &= (np.abs(counts - np.rint(counts)) <= _OFF_GRID) & (row_errors <= 0.51 * steps + 1e-12)
    if not fits.any(axis=0).all():
        return False
    step = top / (_LEVELS - np.argmax(fits[::-1], axis=0))
    counts = columns / step
    return bool((np.abs(counts - np.rint(counts)) <= _OFF_GRID).all() and (errors <= 0.51 * step + 1e-12).all())
