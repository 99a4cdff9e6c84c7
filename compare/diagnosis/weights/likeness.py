"""Whether an array has nothing to do with the right ones, or is one of them with a fault that has no name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

from compare.diagnosis.weights.fitting import alike, kurtosis
from compare.diagnosis.weights.origins import Place, Right, structured

Array = npt.NDArray[np.floating]

_NEAR, _NEAR_IF_FEW = 0.7, 0.6
"""Independent numbers are farther apart than this share of the right ones; a few numbers may be nearer by chance."""
_LEAST_CORRELATION, _MOST_CORRELATION, _STANDARD_ERRORS = 0.15, 0.9, 5.0
_FEW = 12
"""So few numbers correlate by chance."""
_SAME = 0.02
"""Independent numbers have no larger share of equal ones."""


_ENOUGH = 1 << 14
"""So many numbers of a large array tell whether it is related."""
_EXACT, _ROUGH = 1e-6, 0.01
_LARGE = 1 << 20
"""From this size on, wrong structures are only tried on the right array of the same place."""


def correlation(actual: Array, expected: Array) -> float:
    """Return the correlation of the numbers of two arrays of one shape; 0 if one of them is constant."""
    one, other = (each.astype(np.float64).ravel() - each.mean(dtype=np.float64) for each in (actual, expected))
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / norm if norm else 0.0


def is_unrelated(actual: Array, right: Right, place: Place, part: str) -> bool:
    """Return whether a matrix is made of none of the right ones, in whole or in part, as a random one is.

    Args:
        actual: the array of the port, (gate, row, hidden).
        right: the right layer.
        place: the layer and direction of the array.
        part: "kernel" or "recurrent_kernel".
    """
    if not actual.any():
        return True
    return not any(_related(actual, each) or _related_block(actual, each) for each in _made(actual, right, place, part))


def is_unrelated_bias(actual: Array, every: Sequence[Array]) -> bool:
    """Return whether a bias, (gate, hidden), is made of none of `every` right one."""
    return not any(_related(actual, each) or _related_block(actual, each) for each in every if each.any())


def _made(actual: Array, right: Right, place: Place, part: str) -> Iterator[Array]:
    for source in sorted(right.places, key=lambda each: each != place):
        array = right.array(source, part)
        if array.shape == actual.shape:
            yield array
            if source == place or array.size < _LARGE:
                yield from structured(array, right, place, part)


def _related(actual: Array, expected: Array) -> bool:
    one, other = _sample(actual), _sample(expected)
    if np.count_nonzero(_equal(one, other)) > _SAME * one.size:
        return True
    if np.linalg.norm(one - other) < (_NEAR if one.size >= _FEW else _NEAR_IF_FEW) * np.linalg.norm(other):
        return True
    least = max(_LEAST_CORRELATION, min(_MOST_CORRELATION, _STANDARD_ERRORS / one.size**0.5))
    if one.size >= _FEW and max(abs(correlation(one, other)), abs(correlation(np.abs(one), np.abs(other)))) > least:
        return True
    return one.size > 2 and _same_numbers(actual, expected)


def _related_block(actual: Array, expected: Array) -> bool:
    """Return whether any gate has to do with any gate of the right array."""
    blocks = [[_sample(block) for block in each if block.any() and block.size >= _FEW] for each in (actual, expected)]
    for block, wanted in product(*blocks):
        least = max(2 * _LEAST_CORRELATION, min(_MOST_CORRELATION, (_STANDARD_ERRORS + 1) / block.size**0.5))
        if np.count_nonzero(_equal(block, wanted)) > 5 * _SAME * block.size or abs(correlation(block, wanted)) > least:
            return True
    if actual[0].size < _FEW:
        return False
    ours, theirs = ([(kurtosis(block), block) for block in each] for each in (actual, expected))
    return any(
        one is not None and other is not None and abs(one / other - 1) <= _EXACT and _same_numbers(block, wanted)
        for (one, block), (other, wanted) in product(ours, theirs)
    )


def _same_numbers(actual: Array, expected: Array) -> bool:
    """Return whether two arrays hold the same numbers in another order, with any sign; a few may be rounded a little."""
    rough = _ROUGH if _FEW <= actual.size <= _ENOUGH else _EXACT
    if not alike(actual, expected, within=rough):
        return False
    one, other = (np.sort(np.abs(each), axis=None) for each in (actual, expected))
    return bool((np.abs(one - other) <= rough * (other + 0.01 * other[-1])).all())


def _sample(array: Array) -> Array:
    """Return the numbers of an array, or evenly spread ones of a large array."""
    flat = array.ravel()
    return (flat if flat.size <= _ENOUGH else flat[:: flat.size // _ENOUGH]).astype(np.float64)


def _equal(one: Array, other: Array) -> npt.NDArray[np.bool_]:
    """Return where two arrays hold the same number but zero, with either sign."""
    size = np.abs(other)
    same: npt.NDArray[np.bool_] = (np.abs(np.abs(one) - size) <= 1e-6 * size) & (other != 0)
    return same


def describe_difference(actual: Array, expected: Array, gates: Sequence[str], axes: Sequence[str]) -> str:
    """Say how many numbers of an array differ, where the first one is, and to which gates they are confined.

    Args:
        actual: the array of the port, (gate, ...).
        expected: the right one.
        gates: the names of the gates.
        axes: the names of the other axes.
    """
    unit = 1e-6 if actual.dtype == np.float32 else 1e-12
    differs = ~(np.abs(actual - expected) <= unit * np.abs(expected).max(initial=0))
    places = np.argwhere(differs)
    if not len(places):
        return "no number differs by more than its rounding"
    first = ", ".join(
        f"{name} {gates[value] if name == 'gate' else value}" for name, value in zip(("gate", *axes), places[0], strict=True)
    )
    touched = [gates[number] for number in sorted(set(places[:, 0].tolist()))]
    only = f", in the gates {', '.join(touched)} alone" if len(touched) < len(gates) else ""
    related = correlation(actual, expected)
    return f"{len(places)} of {actual.size} numbers differ{only}, the first at {first}; correlation {related:.3f}"
