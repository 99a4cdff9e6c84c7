"""Shapes after dense, embedding, normalising, attending, merging and rearranging layers."""

from __future__ import annotations

from collections.abc import Sequence

from frameworks.models.graph import Shape
from frameworks.models.reading.shapes.seen import (
    ContradictionError,
    Known,
    Seen,
    UnknownShapeError,
    axis_of,
    broadcast,
    common,
    known,
    number,
    numbers,
    product,
)


def same(seen: Seen) -> Sequence[Shape]:
    """Return the shape of the first input."""
    return (seen.first,)


def dense(seen: Seen) -> Sequence[Shape]:
    """Return the shape after a matrix product along the last axis."""
    kernel = seen.array("kernel")
    if kernel:
        seen.require_size(-1, kernel[0], "features, as its kernel has")
    return ((*seen.first[:-1], number(seen.options["units"])),)


def embedding(seen: Seen) -> Sequence[Shape]:
    """Return the shape of the vectors of indices."""
    return ((*seen.first, number(seen.options["output_dim"])),)


def normalising(seen: Seen) -> Sequence[Shape]:
    """Return the shape of the input, whose features are those of the arrays."""
    axis = seen.options["axis"]
    axes = [axis] if type(axis) is int else list(axis) if isinstance(axis, (list, tuple)) else []
    for name in ("gamma", "beta", "moving_mean"):
        array = seen.array(name)
        if array is not None and len(array) == len(axes):
            for each, size in zip(axes, array, strict=True):
                seen.require_size(axis_of(seen.first, each), size, f"features, as its {name} has")
    return (seen.first,)


def merging(seen: Seen) -> Sequence[Shape]:
    """Return the shape of a merge of tensors, element by element; of fewer axes, they are aligned at the last."""
    shapes = seen.all
    if not all(shapes):
        raise UnknownShapeError
    batch: int | None = next((shape[0] for shape in shapes if shape[0] is not None), None)
    return ((batch, *broadcast([shape[1:] for shape in shapes])),)


def concatenate(seen: Seen) -> Sequence[Shape]:
    """Return the shape of tensors one after the other."""
    return (concatenated(seen.all, seen.options["axis"]),)


def concatenated(shapes: Sequence[Shape], axis: object) -> Shape:
    """Return the shape of tensors of these shapes one after the other along an axis."""
    at = axis_of(shapes[0], axis)
    must = f"have the same size along every axis but axis {at}"
    if any(len(shape) != len(shapes[0]) for shape in shapes):
        raise ContradictionError(must)
    result = list(shapes[0])
    for shape in shapes[1:]:
        for index, size in enumerate(shape):
            if index != at:
                result[index] = common(result[index], size, must)
    sizes = [shape[at] for shape in shapes]
    result[at] = None if None in sizes else sum(size for size in sizes if size is not None)
    return tuple(result)


def dot(seen: Seen) -> Sequence[Shape]:
    """Return the shape of the product along one axis of each input."""
    one, other = seen.all
    first, second = numbers(seen.options["axes"], 2)
    first, second = axis_of(one, first), axis_of(other, second)
    common(one[first], other[second], f"have the same size along axis {first} of the one and axis {second} of the other")
    result = (*one[:first], *one[first + 1 :], *other[1:second], *other[second + 1 :])
    return (result if len(result) > 1 else (*result, 1),)


def attention(seen: Seen) -> Sequence[Shape]:
    """Return the shape of the values at the steps of the query, and that of the scores."""
    query, value = seen.all[:2]
    key = seen.all[2] if len(seen.all) > 2 else value
    common(key[-2], value[-2], "have as many keys as values")
    return ((*query[:-1], value[-1]), (*query[:-1], key[-2]))[: seen.call.outputs]


def heads(seen: Seen) -> Sequence[Shape]:
    """Return the shape of the query with the output's size, and that of the scores of all heads."""
    positional, named = seen.values
    given = dict(zip(("query", "value", "key"), positional, strict=False)) | dict(named)
    query, value = (_shape(given.get(name)) for name in ("query", "value"))
    size = seen.options["output_shape"]
    last = query[-1:] if size is None else tuple(size) if isinstance(size, (list, tuple)) else (number(size),)
    axes = seen.options["attention_axes"]
    over = (
        tuple(range(1, len(query) - 1)) if axes is None else numbers(axes, len(axes) if isinstance(axes, (list, tuple)) else 1)
    )
    over = tuple(axis_of(query, each) for each in over)
    left = [size for index, size in enumerate(query[:-1]) if index not in over]
    scores = (*left, number(seen.options["num_heads"]), *(query[each] for each in over), *(value[each] for each in over))
    return ((*query[:-1], *last), scores)[: seen.call.outputs]


def _shape(value: object) -> Shape:
    return known(value.shape if isinstance(value, Known) else None)


def reshape(seen: Seen) -> Sequence[Shape]:
    """Return the target's shape after the batch axis."""
    target = seen.options["target_shape"]
    target = numbers(target, len(target) if isinstance(target, (list, tuple)) else 1)
    shape = seen.shapes[0]
    if shape is None:
        return ((None, *(None if size == -1 else size for size in target)),)
    return ((shape[0], *reshaped(shape[1:], target)),)


def reshaped(shape: Shape, target: Sequence[int]) -> Shape:
    """Return a target's shape, with the size of its axis of size -1."""
    total, fixed = product(shape), product(size for size in target if size != -1)
    if total is None or fixed is None:
        return tuple(None if size == -1 else size for size in target)
    if (-1 not in target and total != fixed) or (fixed and total % fixed):
        raise ContradictionError(f"have as many elements as {tuple(target)}")
    return tuple((total // fixed if fixed else 0) if size == -1 else size for size in target)


def flatten(seen: Seen) -> Sequence[Shape]:
    """Return the shape with all axes but the first as one."""
    return ((seen.first[0], product(seen.first[1:])),)


def permute(seen: Seen) -> Sequence[Shape]:
    """Return the shape with its axes in another order."""
    dims, shape = seen.options["dims"], seen.first
    if not isinstance(dims, (list, tuple)) or sorted(dims) != list(range(1, len(dims) + 1)):
        raise UnknownShapeError
    if len(dims) != len(shape) - 1:
        raise ContradictionError(f"have {len(dims) + 1} axes")
    return ((shape[0], *(shape[each] for each in dims)),)


def repeat(seen: Seen) -> Sequence[Shape]:
    """Return the shape with a new axis of repetitions."""
    if len(seen.first) != 2:
        raise ContradictionError("have 2 axes")
    return ((seen.first[0], number(seen.options["n"]), seen.first[1]),)
