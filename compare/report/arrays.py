"""The arrays that a call of either framework returns, however nested, and the largest difference of two such lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.parity.difference import measure

Array = npt.NDArray[np.floating]
Arrays = Sequence[Array]


def distance(expected: Arrays, found: Arrays) -> float:
    """Give the largest difference of two lists of arrays; infinity where their number or shapes differ."""
    if len(expected) != len(found):
        return float("inf")
    return max(measure(one, other).max_abs for one, other in zip(expected, found, strict=True))


def flat(nested: Any) -> list[Array]:
    """Give the arrays of nested results of either framework as NumPy."""
    return [np.asarray(leaf.detach().numpy() if hasattr(leaf, "detach") else leaf) for leaf in _leaves(nested)]


def _leaves(nested: Any) -> Iterator[Any]:
    if isinstance(nested, (tuple, list)):
        for item in nested:
            yield from _leaves(item)
    else:
        yield nested
