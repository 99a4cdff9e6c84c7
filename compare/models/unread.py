"""Arrays that differ although nothing that was computed shows it: rows of an embedding that no input names, units at zero."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy.typing as npt

from compare.models.allowance import size_of
from compare.models.judged import Judged
from compare.models.layers.array_mistakes import arrays_by_meaning
from compare.models.pairing.axes import difference
from compare.models.pairing.pair import Pair
from frameworks.registry import adapt

Array = npt.NDArray[Any]


def with_unread_arrays(judged: Judged, tolerance: float) -> Judged:
    """Return the comparison of a pair, which is wrong if its arrays differ.

    Args:
        judged: the pair.
        tolerance: the share of the largest number of an array that its numbers may differ by.
    """
    if judged.verdict in ("agrees", "input differs") and arrays_differ(judged.pair, tolerance):
        return replace(judged, verdict="wrong here")
    return judged


def arrays_differ(pair: Pair, tolerance: float) -> bool:
    """Return whether a pair's arrays of one meaning and shape differ; arrays of other shapes tell nothing."""
    if len(pair.expected) != 1 or len(pair.actual) != 1:
        return False
    return any((difference(*both) or 0.0) > tolerance * size_of(both) for both in _arrays(pair))


def _arrays(pair: Pair) -> Iterator[tuple[Array, Array]]:
    one, two = pair.expected[0], pair.actual[0]
    read = _kernels if pair.is_recurrent else arrays_by_meaning
    wanted, found = read(one.native), read(two.native)
    for name in wanted.keys() & found.keys():
        if wanted[name].shape == found[name].shape:
            yield wanted[name], found[name]


def _kernels(native: Any) -> dict[str, Array]:
    """Return the kernels of a recurrent layer by their places; biases are left out, as some layers have their sum."""
    found = {}
    for layer, direction, weights in adapt(native).get_weights():
        found.update({f"{layer} {direction} {part}": array for part, array in weights.arrays() if "kernel" in part})
    return found
