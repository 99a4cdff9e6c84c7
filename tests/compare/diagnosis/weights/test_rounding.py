"""A rounding is recognised by the numbers that it leaves, and by how far they are from the exact ones.

Covers: `compare/diagnosis/weights/rounding.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from compare.diagnosis.weights.rounding import round_like, rounding_of

Array = npt.NDArray[Any]


def drawn(shape: tuple[int, ...] = (6, 5), dtype: str = "float32", seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(0, 0.4, shape).astype(dtype)


def truncated_to_bfloat16(array: Array) -> Array:
    cut: Array = array.astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
    return cut.view(np.float32).astype(array.dtype)


def eight_bits(array: Array) -> Array:
    step = np.abs(array).max() / 127
    rounded: Array = np.rint(array / step) * step
    return rounded.astype(array.dtype)


def eight_bits_by_unit(array: Array) -> Array:
    step = np.abs(array).max(axis=0) / 127
    rounded: Array = np.rint(array / step) * step
    return rounded.astype(array.dtype)


ROUNDED: dict[str, Callable[[Array], Array]] = {
    "float16": lambda array: array.astype(np.float16).astype(array.dtype),
    "bfloat16": truncated_to_bfloat16,
    "3 decimals": lambda array: np.round(array, 3),
    "1 decimals": lambda array: np.round(array, 1),
    "8 bits": eight_bits,
    "8 bits, a factor for each unit": eight_bits_by_unit,
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ROUNDED)
def test_each_rounding_is_recognised(name: str, dtype: str) -> None:
    exact = drawn((16, 5), dtype)
    assert rounding_of(ROUNDED[name](exact), exact) == name


def test_float64_numbers_that_float32_holds_were_rounded_to_it() -> None:
    exact = drawn(dtype="float64")
    assert rounding_of(exact.astype(np.float32).astype(np.float64), exact) == "float32"


@pytest.mark.parametrize("change", [lambda array: array + 0.001 * drawn(seed=1), lambda array: np.clip(array, -0.5, 0.5)])
def test_noise_and_clipping_are_no_rounding(change: Callable[[Array], Array]) -> None:
    assert not rounding_of(change(drawn()), drawn())


def test_rounded_numbers_that_are_far_from_the_exact_ones_are_no_rounding_of_them() -> None:
    assert not rounding_of(drawn(seed=1).astype(np.float16).astype(np.float32), drawn())


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_numbers_are_not_on_a_grid_by_chance(count: int) -> None:
    draws = [np.random.default_rng(seed).normal(size=(2, count)).astype(np.float32) for seed in range(200)]
    assert not any(rounding_of(one, one + other * 0.01) for one, other in draws)


def test_rounding_like_bfloat16_takes_the_nearest_number_and_the_even_one_of_two() -> None:
    exact = np.array([1 + 2**-9, 1 + 2**-8, 1 + 3 * 2**-8, -1 - 2**-7], np.float32)
    assert round_like(exact, "bfloat16").tolist() == [1, 1, 1 + 2**-6, -1 - 2**-7]
