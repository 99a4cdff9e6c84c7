"""The arrays in the result of a call of either framework, and the largest difference between two lists of arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.parity.difference import measure

Array = npt.NDArray[np.floating]
Arrays = Sequence[Array]


def distance(expected: Arrays, actual: Arrays) -> float:
    """Return the largest difference between two lists of arrays; infinity if their lengths or shapes differ."""
    if len(expected) != len(actual):
        return float("inf")
    return max(measure(one, other).max_abs for one, other in zip(expected, actual, strict=True))


def flat(nested: Any) -> list[Array]:
    """Return the arrays in a nested result of either framework, as NumPy arrays."""
    return [np.asarray(leaf.detach().numpy() if hasattr(leaf, "detach") else leaf) for leaf in _leaves(nested)]


def _leaves(nested: Any) -> Iterator[Any]:
    if isinstance(nested, (tuple, list)):
        for item in nested:
            yield from _leaves(item)
    else:
        yield nested
