"""Arrays of files are compared in blocks, with the same result as in one piece."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from compare.checkpoints.array_differences import measure_constant, measure_stored
from frameworks.files.writing.blocks import Tensor


def tensor(array: Any, rows: int) -> Tensor:
    """Return an array that is read in blocks of so many rows."""

    def blocks() -> Iterator[Any]:
        for start in range(0, len(array), rows):
            yield array[start : start + rows]

    return Tensor(array.shape, array.dtype, blocks)


ARRAY = np.random.default_rng(0).normal(size=(7, 3)).astype("float32")


@pytest.mark.parametrize(("rows", "others"), [(7, 7), (2, 3), (1, 7), (5, 2)])
@pytest.mark.parametrize("by", [0.0, 0.5, np.nan])
def test_the_largest_difference_and_its_place_do_not_depend_on_the_blocks(rows: int, others: int, by: float) -> None:
    other = ARRAY.copy()
    other[4, 1] += by
    other[0, 0] += by / 2
    difference = measure_stored(tensor(ARRAY, rows), tensor(other, others))
    np.testing.assert_allclose(difference.max_abs, abs(by), rtol=1e-6)
    if by == 0.5:
        assert difference.index == (4, 1)
    assert difference.scale == max(1.0, float(np.abs(ARRAY).max()))


def test_other_shapes_differ_and_nothing_is_broadcast() -> None:
    difference = measure_stored(tensor(ARRAY, 2), tensor(ARRAY[:1], 1))
    assert (difference.max_abs, difference.other_shape) == (np.inf, (1, 3))


def test_an_array_is_compared_with_a_constant() -> None:
    ones = np.ones((4, 2), "float32")
    ones[3, 1] = 0.25
    difference = measure_constant(tensor(ones, 3), 1.0)
    assert (difference.max_abs, difference.index) == (0.75, (3, 1))
