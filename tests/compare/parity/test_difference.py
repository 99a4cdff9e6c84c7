"""Differences are measured at their place, and none is lost."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compare.parity.difference import Difference, measure
from compare.parity.verdict import Against, Comparison


def zeros() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.zeros((2, 3, 4), "f4")


def test_the_largest_difference_is_found_with_its_place() -> None:
    one, other = zeros(), zeros()
    one[0, 1, 2], other[1, 2, 3], one[0, 0, 0] = 0.25, -0.75, 0.5
    found = measure(one, other)
    assert (found.max_abs, found.index, found.shape, found.scale) == (0.75, (1, 2, 3), (2, 3, 4), 1.0)


def test_equal_arrays_do_not_differ() -> None:
    found = measure(zeros(), zeros())
    assert (found.max_abs, found.needed) == (0.0, 0.0)
    assert measure(zeros(), -zeros()).max_abs == 0


def test_the_scale_is_the_largest_expected_value_from_one_on() -> None:
    one = zeros()
    one[1, 1, 1] = -8
    assert measure(one, zeros()) == Difference((2, 3, 4), 8.0, (1, 1, 1), 8.0)
    assert measure(one, zeros()).needed == 1.0
    assert measure(zeros(), one).scale == 1.0
    assert measure(zeros(), one).needed == 8.0


def test_float32_arrays_are_subtracted_in_float64() -> None:
    one, other = np.array([3e38], "f4"), np.array([-3e38], "f4")
    assert measure(one, other).max_abs == pytest.approx(6e38)
    tiny = measure(np.array([1.0]), np.array([np.float32(1.0)]) + 1e-12)
    assert tiny.max_abs == pytest.approx(1e-12, rel=1e-3)


@pytest.mark.parametrize("where", ["one", "other", "both"])
def test_nan_equals_nothing_and_comes_before_any_number(where: str) -> None:
    one, other = zeros(), zeros()
    other[0, 0, 0] = 1e30
    for array, name in ((one, "one"), (other, "other")):
        if where in (name, "both"):
            array[1, 0, 3] = np.nan
    found = measure(one, other)
    assert math.isnan(found.max_abs)
    assert found.index == (1, 0, 3)
    assert math.isnan(found.needed)
    assert found.scale == 1.0


def test_equal_infinities_do_not_differ_and_others_do() -> None:
    one, other = zeros(), zeros()
    one[0, 0, 0] = other[0, 0, 0] = np.inf
    one[1, 1, 1] = other[1, 1, 1] = -np.inf
    assert measure(one, other) == Difference((2, 3, 4), 0.0, (0, 0, 0), 1.0)
    other[1, 1, 1] = np.inf
    assert measure(one, other) == Difference((2, 3, 4), np.inf, (1, 1, 1), 1.0)
    other[1, 1, 1] = 3.0
    assert measure(one, other).max_abs == np.inf
    assert measure(other, one).scale == 3.0


@pytest.mark.parametrize("shape", [(3, 4), (2, 3), (1, 3, 4), (2, 3, 1), (4, 3, 2), (2, 3, 4, 1), (24,), ()])
def test_another_shape_is_a_difference_and_nothing_is_broadcast(shape: tuple[int, ...]) -> None:
    found = measure(zeros(), np.zeros(shape))
    assert (found.max_abs, found.index, found.shape, found.other_shape) == (np.inf, None, (2, 3, 4), shape)


def test_only_what_counts_is_compared() -> None:
    one, other = zeros(), zeros()
    counts = np.array([[True, True, False], [True, False, False]])
    one[0, 2, 1], other[1, 1, 1], one[1, 2, 0], one[0, 2, 3] = np.nan, 5.0, np.inf, 100.0
    assert measure(one, other, counts) == Difference((2, 3, 4), 0.0, (0, 0, 0), 1.0)
    other[0, 1, 3] = 0.5
    assert measure(one, other, counts) == Difference((2, 3, 4), 0.5, (0, 1, 3), 1.0)
    assert measure(one, other, np.array([False, False])).max_abs == 0
    assert math.isnan(measure(one, other).max_abs)


def test_nothing_to_compare_does_not_differ() -> None:
    assert measure(np.zeros((0, 3)), np.zeros((0, 3))) == Difference((0, 3), 0.0, None, 1.0)


@given(st.floats(1e-300, 1e300), st.floats(1.0, 1e300))
def test_the_needed_tolerance_is_the_smallest_that_passes(distance: float, scale: float) -> None:
    difference = Difference((1,), distance, (0,), scale)

    def passes(tolerance: float) -> bool:
        return Comparison.of("output", difference, None, tolerance, Against.EXPECTED).within

    if not 1e-300 < distance / scale < 1e300:
        return
    assert passes(difference.needed)
    assert not passes(math.nextafter(difference.needed, 0))
