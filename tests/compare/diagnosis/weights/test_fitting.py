"""An array is fitted to the right one by a factor, a rounding and an order, and not by what few numbers allow.

Covers: `compare/diagnosis/weights/fitting.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from compare.diagnosis.weights.fitting import EXACT, Fit, fit, fit_reordered, same

Array = npt.NDArray[np.floating]
RIGHT = np.random.default_rng(0).normal(0, 0.4, (6, 5)).astype(np.float32)
ROWS, COLUMNS = (2, 0, 1, 3, 5, 4), (4, 2, 0, 1, 3)


def test_the_same_array_is_an_exact_fit_also_with_a_difference_in_the_last_place() -> None:
    assert fit(RIGHT.copy(), RIGHT) == EXACT
    assert same(np.nextafter(RIGHT, 1), RIGHT)
    assert not same(RIGHT * np.float32(1 + 1e-5), RIGHT)


@pytest.mark.parametrize("factor", [0.5, 1.01, 3.7])
def test_a_factor_is_found(factor: float) -> None:
    assert fit((RIGHT * factor).astype(np.float32), RIGHT) == Fit(scale=factor)


def test_a_factor_and_a_rounding_are_found_together() -> None:
    assert fit((RIGHT * 1.5).astype(np.float16).astype(np.float32), RIGHT) == Fit(1.5, "float16")


def test_a_negative_factor_is_none() -> None:
    assert fit(-RIGHT, RIGHT) is None


def test_two_numbers_have_no_factor() -> None:
    assert fit(RIGHT[:1, :2] * 2, RIGHT[:1, :2]) is None


def altered(change: Callable[[Array], None]) -> Array:
    array: Array = RIGHT.copy()
    change(array)
    return array


@pytest.mark.parametrize(
    "wrong",
    [
        altered(lambda array: array.__setitem__((3, 2), 1.0)),
        np.clip(RIGHT, -0.4, 0.4),
        RIGHT + np.float32(0.1),
        np.random.default_rng(1).normal(size=(6, 5)).astype(np.float32),
        np.zeros_like(RIGHT),
    ],
)
def test_other_faults_are_no_fit(wrong: Array) -> None:
    assert fit(wrong, RIGHT) is None
    assert fit_reordered(wrong, RIGHT) is None


def test_orders_of_rows_and_columns_are_found() -> None:
    assert fit_reordered(RIGHT[list(ROWS)], RIGHT) == Fit(rows=ROWS)
    assert fit_reordered(RIGHT[:, list(COLUMNS)], RIGHT) == Fit(columns=COLUMNS)
    assert fit_reordered(RIGHT[list(ROWS)][:, list(COLUMNS)], RIGHT) == Fit(rows=ROWS, columns=COLUMNS)


def test_an_order_is_found_beside_a_factor_and_a_rounding() -> None:
    wrong = (RIGHT[list(ROWS)] * np.float32(2)).astype(np.float16).astype(np.float32)
    assert fit_reordered(wrong, RIGHT) == Fit(2.0, "float16", rows=ROWS)


def test_equal_rows_keep_their_order() -> None:
    right = RIGHT.copy()
    right[4] = right[0]
    assert fit_reordered(right[[0, 2, 1, 3, 4, 5]], right) == Fit(rows=(0, 2, 1, 3, 4, 5))


def test_applying_a_fit_makes_the_array_again() -> None:
    wrong = RIGHT[list(ROWS)][:, list(COLUMNS)] * np.float32(2)
    found = fit_reordered(wrong, RIGHT)
    assert found is not None
    np.testing.assert_array_equal(found.apply(RIGHT), wrong)
