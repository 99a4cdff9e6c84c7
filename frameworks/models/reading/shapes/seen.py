"""What a rule for shapes sees of a call, and what it says instead of a shape."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from frameworks.files.other_layers import OtherLayer
from frameworks.kinds import Kind
from frameworks.models.graph import Call, Layer, Shape

MAX_RANK = 32


class UnknownShapeError(Exception):
    """Raised by a rule that cannot infer a shape: nothing is wrong with the model."""


class ContradictionError(Exception):
    """Raised by a rule for shapes that do not fit the layer: the text says what they must be."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A call of a layer, as a rule sees it.

    Args:
        layer: the layer.
        kind: its record.
        options: its options, with the defaults of the version that wrote the model.
        call: the call.
        shapes: the shape of each tensor among its positional arguments, in order; None for one that is not known.
        values: the positional and keyword arguments, in which each tensor is a `Known`.
        within: returns the shapes of the results of another layer, given the shapes of its inputs.
    """

    layer: Layer
    kind: Kind
    options: Mapping[str, Any]
    call: Call
    shapes: tuple[Shape | None, ...]
    values: tuple[tuple[Any, ...], Mapping[str, Any]]
    within: Callable[[Layer, Sequence[Shape | None]], Sequence[Shape | None]]

    @property
    def first(self) -> Shape:
        """The shape of the first tensor."""
        return known(self.shapes[0] if self.shapes else None)

    @property
    def all(self) -> tuple[Shape, ...]:
        """The shapes of all tensors among the positional arguments."""
        return tuple(map(known, self.shapes))

    def array(self, name: str) -> tuple[int, ...] | None:
        """Return the shape of one of the layer's arrays, or None."""
        stored = self.layer.stored
        array = stored.stored.get(name) if isinstance(stored, OtherLayer) and stored.known else None
        return None if array is None else tuple(array.shape)

    def require_size(self, axis: int, size: int | None, what: str) -> None:
        """Raise an error unless an axis of the first input has a size, or an unknown one."""
        actual = self.first[axis]
        if size is not None and actual is not None and actual != size:
            raise ContradictionError(f"have {size} {what}")


@dataclass(frozen=True)
class Known:
    """A tensor among the arguments of a call, with its shape or None."""

    shape: Shape | None


Rule: TypeAlias = Callable[[Seen], Sequence["Shape | None"]]
"""Returns the shape of each result of a call."""


def known(shape: Shape | None) -> Shape:
    """Return a shape, or raise the error that ends a rule."""
    if shape is None:
        raise UnknownShapeError
    return shape


def axis_of(shape: Shape, axis: Any) -> int:
    """Return an axis counted from the front."""
    if type(axis) is not int or not -len(shape) <= axis < len(shape):
        raise UnknownShapeError
    return axis % len(shape)


def numbers(value: Any, count: int) -> tuple[int, ...]:
    """Return an option with one number for each of several axes, or the same number for all."""
    if type(value) is int:
        return (value,) * count
    if isinstance(value, (list, tuple)) and len(value) == count and all(type(each) is int for each in value):
        return tuple(value)
    raise UnknownShapeError


def number(value: Any) -> int:
    """Return an option that is a number."""
    return numbers(value, 1)[0]


def product(sizes: Iterable[int | None]) -> int | None:
    """Return the product of sizes, or None if one is unknown."""
    sizes = tuple(sizes)
    return None if None in sizes else math.prod(size for size in sizes if size is not None)


def common(one: int | None, other: int | None, must: str) -> int | None:
    """Return the size of an axis that two tensors share, of which None is unknown."""
    if one is not None and other is not None and one != other:
        raise ContradictionError(must)
    return other if one is None else one


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """Return the shape of an elementwise operation on tensors of these shapes."""
    rank = max(map(len, shapes))
    result: Shape = (1,) * rank
    for shape in shapes:
        padded = (1,) * (rank - len(shape)) + shape
        result = tuple(_broadcast_axis(one, other) for one, other in zip(result, padded, strict=True))
    return result


def _broadcast_axis(one: int | None, other: int | None) -> int | None:
    if one == 1 or other == 1:
        return other if one == 1 else one
    return common(one, other, "have sizes that agree, or are 1, along each axis")
