"""The arrays of a result with their axes in another order, reshaped: how a port flattens, merges or splits axes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.models.forms import Form, Source
from frameworks.activations import ACTIVATIONS

Array = npt.NDArray[Any]
_ACTIVATIONS = ("relu", "tanh", "sigmoid", "elu", "silu", "gelu")
_MOST_AXES = 5
"""Arrays of more axes are not tried in every order of them."""


def arrays_of(source: Source) -> Iterator[Form]:
    """Yield the arrays of a result, and its values after an activation."""
    whole = source.whole
    for part in ("output", "h_n", "c_n") if whole is not None else ():
        if getattr(whole, part) is not None:
            yield Form(f"{part} of {source.name}", np.asarray(getattr(whole, part)))
    if source.value is None:
        return
    yield Form(source.name, source.value)
    if source.value.dtype.kind == "f":
        with np.errstate(all="ignore"):
            values = [ACTIVATIONS[each](source.value) for each in _ACTIVATIONS]
        yield from (Form(f"{each}({source.name})", value) for each, value in zip(_ACTIVATIONS, values, strict=True))


def reordered(form: Form, shape: tuple[int, ...]) -> Iterator[Form]:
    """Yield an array with its axes in every order, reshaped."""
    name, of, module = form.text.partition(" of ")
    sizes = ", ".join(map(str, (-1, *shape[1:])))
    for order in permutations(range(form.value.ndim)):
        moved = "" if order == tuple(range(form.value.ndim)) else f".permute{order}"
        yield Form(f"{name}{moved}.reshape({sizes}){of}{module}", form.value.transpose(order).reshape(shape))


def same_numbers(one: Array, two: Array) -> bool:
    """Return whether two arrays may hold the same numbers in another order: their sums are the same."""
    if one.size != two.size or one.ndim > _MOST_AXES:
        return False
    scale = max(float(np.abs(two).sum()), 1e-9)
    return abs(float(one.sum()) - float(two.sum())) <= 1e-4 * scale and abs(float(np.abs(one).sum()) - scale) <= 1e-4 * scale
