"""Checks that two samples have the same distribution, and that no global random state was changed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

Array = npt.NDArray[Any]
Alike = Callable[[Any, Any], bool]


def _alike(one: Any, other: Any) -> bool:
    """Compare two samples by the test of Kolmogorov and Smirnov at a level of 0.001; constant samples by their value."""
    one, other = (np.sort(np.asarray(sample, np.float64).ravel()) for sample in (one, other))
    if one[0] == one[-1] or other[0] == other[-1]:
        return bool(one[0] == one[-1] == other[0] == other[-1])
    every = np.concatenate([one, other])
    shares = [np.searchsorted(sample, every, side="right") / sample.size for sample in (one, other)]
    gap = float(np.abs(shares[0] - shares[1]).max())
    allowed: float = 1.95 * (1 / one.size + 1 / other.size) ** 0.5
    return gap < allowed


@pytest.fixture(scope="session")
def alike() -> Alike:
    return _alike


@pytest.fixture(scope="session")
def next_numbers() -> Callable[[], list[float]]:
    """Draw a number from every global generator."""

    def draw() -> list[float]:
        import keras
        import tensorflow as tf
        import torch

        drawn = [torch.rand(()), np.random.random(), random.random(), keras.random.uniform(())]  # noqa: NPY002  global
        return [float(number) for number in (*drawn, tf.random.uniform(()))]

    return draw
