"""The arguments of an operation between layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from frameworks.models.graph import Shape
from frameworks.models.reading.shapes.seen import Known, Seen, UnknownShapeError, axis_of, known


def shape_of(value: Any) -> Shape:
    """Return the shape of an argument: a tensor, an array or a number."""
    if isinstance(value, Known):
        return known(value.shape)
    if isinstance(value, (np.ndarray, np.generic)):
        return tuple(value.shape)
    if isinstance(value, (bool, int, float)):
        return ()
    if isinstance(value, (list, tuple)) and value and not any(isinstance(each, (Known, str)) for each in value):
        inner = {shape_of(each) for each in value}
        if len(inner) == 1:
            return (len(value), *inner.pop())
    raise UnknownShapeError


def tensors(seen: Seen) -> list[Shape]:
    """Return the shapes of the arguments, of which the first may be a list of tensors."""
    args = seen.values[0]
    first = args[0] if args else None
    listed = first if isinstance(first, (list, tuple)) and any(isinstance(each, Known) for each in first) else None
    return [shape_of(each) for each in (listed if listed is not None else args)]


def axes_of(value: Any, rank: int) -> tuple[int, ...]:
    """Return axes counted from the front; None means all of them."""
    axes = tuple(range(rank)) if value is None else tuple(value) if isinstance(value, (list, tuple)) else (value,)
    return tuple(axis_of((1,) * rank, axis) for axis in axes)


def argument(seen: Seen, position: int, name: str, default: Any = None) -> Any:
    """Return an argument of a call, passed by position or by name."""
    args, named = seen.values
    return args[position] if len(args) > position else named.get(name, default)
