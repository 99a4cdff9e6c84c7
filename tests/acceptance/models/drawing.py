"""Sizes and inputs, drawn."""

from __future__ import annotations

import numpy as np


def different(rng: np.random.Generator, low: int, high: int, count: int) -> list[int]:
    """Return sizes of which no two are equal."""
    return [int(size) for size in rng.permutation(np.arange(low, high))[:count]]


def tokens(rng: np.random.Generator, batch: int, steps: int, vocabulary: int) -> np.ndarray:
    """Return token numbers in rows of random length, padded with 0 at the end; (batch, time), int32."""
    lengths = rng.integers(2, steps, batch)
    lengths[0] = steps
    drawn = rng.integers(1, vocabulary, (batch, steps))
    return np.where(np.arange(steps) < lengths[:, None], drawn, 0).astype(np.int32)


def whole_tokens(rng: np.random.Generator, batch: int, steps: int, vocabulary: int) -> np.ndarray:
    """Return token numbers without padding; (batch, time), int32."""
    return rng.integers(1, vocabulary, (batch, steps)).astype(np.int32)


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)
