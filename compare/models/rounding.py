"""A model with every weight moved to a neighbouring number: what one rounding makes of its results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.models.recording.recorded import to_array
from compare.models.recording.recording import framework_of

Array = npt.NDArray[Any]


@contextmanager
def nudged(model: Any, seed: int = 0) -> Iterator[None]:
    """Move every weight of a model by one rounding, and back to exactly what it was."""
    rng = np.random.default_rng(seed)
    if framework_of(model) == "pytorch":
        kept: list[tuple[Any, Any]] = [(each, each.data) for each in model.parameters() if each.is_floating_point()]
        moved = [tensor.new_tensor(_nudge(to_array(tensor), rng)) for _, tensor in kept]
        try:
            for (parameter, _), data in zip(kept, moved, strict=True):
                parameter.data = data
            yield
        finally:
            for parameter, data in kept:
                parameter.data = data
        return
    variables = [(each, to_array(each)) for each in model.weights]
    variables = [(each, own) for each, own in variables if own.dtype.kind == "f"]
    try:
        for variable, own in variables:
            variable.assign(_nudge(own, rng))
        yield
    finally:
        for variable, own in variables:
            variable.assign(own)


def nudge_all(arrays: Sequence[Array], seed: int = 1) -> list[Array]:
    """Return arrays with every number moved by one rounding; integers stay, and so do numbers that stand for masked steps."""
    rng = np.random.default_rng(seed)
    return [_keep_repeated(each, _nudge(each, rng)) if each.dtype.kind == "f" else each for each in arrays]


def _keep_repeated(array: Array, moved: Array) -> Array:
    """Put back the numbers that occur more than once: a model may compare its input with such a number, as Masking does."""
    _, which, counts = np.unique(array, return_inverse=True, return_counts=True)
    kept: Array = np.where(counts[which].reshape(array.shape) > 1, array, moved)
    return kept


def _nudge(array: Array, rng: np.random.Generator) -> Array:
    towards = np.where(rng.integers(0, 2, array.shape) == 1, np.inf, -np.inf).astype(array.dtype)
    moved: Array = np.where(array == 0, array, np.nextafter(array, towards))
    return moved
