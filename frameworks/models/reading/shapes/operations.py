"""Shapes after operations between layers, by the names of the functions in `keras.ops`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

import numpy as np

from frameworks.models.graph import Shape
from frameworks.models.reading.shapes.arguments import argument, axes_of, shape_of, tensors
from frameworks.models.reading.shapes.layers import concatenated, reshaped
from frameworks.models.reading.shapes.seen import (
    MAX_RANK,
    ContradictionError,
    Known,
    Rule,
    Seen,
    UnknownShapeError,
    axis_of,
    broadcast,
    common,
    number,
    numbers,
    product,
)


def _unary(seen: Seen) -> Sequence[Shape]:
    return (shape_of(seen.values[0][0]),) * seen.call.outputs


def _elementwise(seen: Seen) -> Sequence[Shape]:
    named = (value for value in seen.values[1].values() if isinstance(value, (Known, np.ndarray)))
    return (broadcast([shape_of(each) for each in (*seen.values[0], *named)]),)


def _reduction(seen: Seen) -> Sequence[Shape]:
    shape = shape_of(seen.values[0][0])
    axis, keepdims = argument(seen, 1, "axis"), seen.values[1].get("keepdims", False)
    axes = axes_of(axis, len(shape))
    if keepdims is True:
        return (tuple(1 if index in axes else size for index, size in enumerate(shape)),)
    return (tuple(size for index, size in enumerate(shape) if index not in axes),)


def _get_item(seen: Seen) -> Sequence[Shape]:
    shape, key = shape_of(seen.values[0][0]), argument(seen, 1, "key")
    keys = list(key) if isinstance(key, (list, tuple)) else [key]
    if any(isinstance(each, Known) or not isinstance(each, (int, slice, type(None), type(...))) for each in keys):
        raise UnknownShapeError
    taken = sum(each is not None and each is not ... for each in keys)
    if taken > len(shape):
        raise ContradictionError(f"have at least {taken} axes")
    at = keys.index(...) if ... in keys else len(keys)
    keys[at : at + 1] = [slice(None)] * (len(shape) - taken)
    sizes = iter(shape)
    result: list[int | None] = []
    for each in keys:
        if each is None:
            result.append(1)
        elif isinstance(each, slice):
            result.append(_sliced(next(sizes), each))
        else:
            next(sizes)
    return (tuple(result),)


def _sliced(size: int | None, part: slice) -> int | None:
    if any(each is not None and type(each) is not int for each in (part.start, part.stop, part.step)):
        raise UnknownShapeError
    if size is None:
        return None if part != slice(0, 1) and part != slice(0, 1, 1) and part != slice(None, 1) else 1
    return len(range(*part.indices(size)))


def _reshape(seen: Seen) -> Sequence[Shape]:
    target = argument(seen, 1, "newshape")
    if isinstance(target, (list, tuple)) and len(target) <= MAX_RANK:
        # A size taken from a tensor, such as the number of samples, is unknown.
        if any(type(each) is not int for each in target):
            return (tuple(each if type(each) is int and each != -1 else None for each in target),)
        return (reshaped(shape_of(seen.values[0][0]), target),)
    return (reshaped(shape_of(seen.values[0][0]), numbers(target, 1)),)


def _transpose(seen: Seen) -> Sequence[Shape]:
    shape, axes = shape_of(seen.values[0][0]), argument(seen, 1, "axes")
    order = tuple(reversed(range(len(shape)))) if axes is None else axes_of(axes, len(shape))
    if sorted(order) != list(range(len(shape))):
        raise UnknownShapeError
    return (tuple(shape[each] for each in order),)


def _swapaxes(seen: Seen) -> Sequence[Shape]:
    shape = list(shape_of(seen.values[0][0]))
    one, other = (axis_of(tuple(shape), argument(seen, at, f"axis{at}")) for at in (1, 2))
    shape[one], shape[other] = shape[other], shape[one]
    return (tuple(shape),)


def _moveaxis(seen: Seen) -> Sequence[Shape]:
    shape = shape_of(seen.values[0][0])
    source, target = (axes_of(argument(seen, at, name), len(shape)) for at, name in ((1, "source"), (2, "destination")))
    order = [index for index in range(len(shape)) if index not in source]
    for to, index in sorted(zip(target, source, strict=True)):
        order.insert(to, index)
    return (tuple(shape[each] for each in order),)


def _expand_dims(seen: Seen) -> Sequence[Shape]:
    shape, axis = shape_of(seen.values[0][0]), argument(seen, 1, "axis")
    axes = axis if isinstance(axis, (list, tuple)) else [axis]
    places = axes_of(axes, len(shape) + len(axes))
    sizes = iter(shape)
    return (tuple(1 if index in places else next(sizes) for index in range(len(shape) + len(axes))),)


def _squeeze(seen: Seen) -> Sequence[Shape]:
    shape, axis = shape_of(seen.values[0][0]), argument(seen, 1, "axis")
    if axis is None and None in shape:
        raise UnknownShapeError
    axes = [index for index, size in enumerate(shape) if size == 1] if axis is None else axes_of(axis, len(shape))
    if any(shape[index] not in (1, None) for index in axes):
        raise ContradictionError("have one step along the axis that is left out")
    return (tuple(size for index, size in enumerate(shape) if index not in axes),)


def _concatenate(seen: Seen) -> Sequence[Shape]:
    return (concatenated(tensors(seen), argument(seen, 1, "axis", 0)),)


def _stack(seen: Seen) -> Sequence[Shape]:
    shapes, axis = tensors(seen), argument(seen, 1, "axis", 0)
    shape = list(broadcast(shapes))
    shape.insert(axis_of((1,) * (len(shape) + 1), axis), len(shapes))
    return (tuple(shape),)


def _split(seen: Seen) -> Sequence[Shape]:
    shape, parts = shape_of(seen.values[0][0]), argument(seen, 1, "indices_or_sections")
    at = axis_of(shape, argument(seen, 2, "axis", 0))
    size = shape[at]
    if isinstance(parts, (list, tuple)):
        ends = [0, *map(number, parts)]
        last = None if size is None else size - ends[-1]
        sizes = [*(other - one for one, other in pairwise(ends)), last]
    else:
        sizes = [None if size is None else size // max(number(parts), 1)] * number(parts)
    return tuple((*shape[:at], each, *shape[at + 1 :]) for each in sizes)[: seen.call.outputs]


def _unstack(seen: Seen) -> Sequence[Shape]:
    shape = shape_of(seen.values[0][0])
    at = axis_of(shape, argument(seen, 2, "axis", 0))
    return ((*shape[:at], *shape[at + 1 :]),) * seen.call.outputs


def _matmul(seen: Seen) -> Sequence[Shape]:
    one, other = (shape_of(argument(seen, at, f"x{at + 1}")) for at in (0, 1))
    if len(one) < 2 or len(other) < 2:
        raise UnknownShapeError
    common(one[-1], other[-2], "have as many columns in the one as rows in the other")
    return ((*broadcast([one[:-2], other[:-2]]), one[-2], other[-1]),)


def _dot(seen: Seen) -> Sequence[Shape]:
    one, other = (shape_of(argument(seen, at, f"x{at + 1}")) for at in (0, 1))
    if not one or not other:
        return ((*one, *other),)
    common(one[-1], other[-2] if len(other) > 1 else other[0], "have as many columns in the one as rows in the other")
    return ((*one[:-1], *(other[:-2] if len(other) > 1 else ()), *(other[-1:] if len(other) > 1 else ())),)


def _einsum(seen: Seen) -> Sequence[Shape]:
    equation, *read = seen.values[0]
    if not isinstance(equation, str) or "->" not in equation:
        raise UnknownShapeError
    letters_read, _, made = equation.replace(" ", "").partition("->")
    sizes: dict[str, int | None] = {}
    further: Shape = ()  # the axes that "..." stands for
    for letters, tensor in zip(letters_read.split(","), read, strict=True):
        shape, (before, dots, after) = shape_of(tensor), letters.partition("...")
        end = len(shape) - len(after)
        further = broadcast([further, shape[len(before) : end]]) if dots else further
        for letter, size in zip(before + after, shape[: len(before)] + shape[end:], strict=True):
            sizes[letter] = common(sizes.get(letter), size, f"fit {equation}")
    before, dots, after = made.partition("...")
    return ((*(sizes[each] for each in before), *(further if dots else ()), *(sizes[each] for each in after)),)


def _repeat(seen: Seen) -> Sequence[Shape]:
    shape, times = shape_of(seen.values[0][0]), number(argument(seen, 1, "repeats"))
    axis = argument(seen, 2, "axis")
    if axis is None:
        total = product(shape)
        return ((None if total is None else total * times,),)
    at = axis_of(shape, axis)
    return (tuple(size if index != at or size is None else size * times for index, size in enumerate(shape)),)


def _tile(seen: Seen) -> Sequence[Shape]:
    shape, repeats = shape_of(seen.values[0][0]), argument(seen, 1, "repeats")
    times = (repeats,) if type(repeats) is int else numbers(repeats, len(repeats) if isinstance(repeats, (list, tuple)) else 1)
    rank = max(len(shape), len(times))
    shape, times = (1,) * (rank - len(shape)) + shape, (1,) * (rank - len(times)) + times
    return (tuple(None if size is None else size * each for size, each in zip(shape, times, strict=True)),)


def _take(seen: Seen) -> Sequence[Shape]:
    shape, indices, axis = shape_of(seen.values[0][0]), shape_of(argument(seen, 1, "indices")), argument(seen, 2, "axis")
    if axis is None:
        return (indices,)
    at = axis_of(shape, axis)
    return ((*shape[:at], *indices, *shape[at + 1 :]),)


def _pad(seen: Seen) -> Sequence[Shape]:
    shape, width = shape_of(seen.values[0][0]), argument(seen, 1, "pad_width")
    if type(width) is int:
        width = [(width, width)] * len(shape)
    pairs = [numbers(each, 2) for each in width]
    return (tuple(None if size is None else size + sum(pair) for size, pair in zip(shape, pairs, strict=True)),)


def _one_hot(seen: Seen) -> Sequence[Shape]:
    shape = shape_of(seen.values[0][0])
    axis, classes = argument(seen, 2, "axis", -1), number(argument(seen, 1, "num_classes"))
    at = axis_of((1,) * (len(shape) + 1), axis)
    return ((*shape[:at], classes, *shape[at:]),)


def _top_k(seen: Seen) -> Sequence[Shape]:
    return ((*shape_of(seen.values[0][0])[:-1], number(argument(seen, 1, "k"))),) * seen.call.outputs


def _broadcast_to(seen: Seen) -> Sequence[Shape]:
    target = argument(seen, 1, "shape")
    return (tuple(each if type(each) is int else None for each in target),)


_RULES: Mapping[Callable[[Seen], Sequence[Shape | None]], str] = MappingProxyType(
    {
        _unary: "abs absolute negative exp expm1 log log1p log2 log10 sqrt rsqrt square sin cos tan sinh cosh tanh"
        " arcsin arccos arctan sign floor ceil round relu relu6 sigmoid softplus softsign silu swish gelu elu"
        " selu celu leaky_relu hard_sigmoid hard_silu hard_tanh log_sigmoid softmax log_softmax clip cast"
        " identity copy convert_to_tensor stop_gradient ones_like zeros_like full_like logical_not isnan isinf isfinite cumsum"
        " cumprod flip roll sort argsort nan_to_num erf reciprocal normalize threshold tanh_shrink soft_shrink"
        " hard_shrink sparse_plus squareplus triu tril conj real bitwise_not",
        _elementwise: "add subtract multiply divide true_divide floor_divide mod power maximum minimum equal not_equal greater"
        " greater_equal less less_equal logical_and logical_or logical_xor where arctan2 divide_no_nan"
        " bitwise_and bitwise_or bitwise_xor",
        _reduction: "sum mean max min prod var std any all argmax argmin amax amin logsumexp count_nonzero norm median average",
        _get_item: "get_item",
        _reshape: "reshape",
        _transpose: "transpose",
        _swapaxes: "swapaxes",
        _moveaxis: "moveaxis",
        _expand_dims: "expand_dims",
        _squeeze: "squeeze",
        _concatenate: "concatenate",
        _stack: "stack",
        _split: "split",
        _unstack: "unstack",
        _matmul: "matmul",
        _dot: "dot",
        _einsum: "einsum",
        _repeat: "repeat",
        _tile: "tile",
        _take: "take",
        _pad: "pad",
        _one_hot: "one_hot",
        _top_k: "top_k",
        _broadcast_to: "broadcast_to",
    }
)

OPERATIONS: Mapping[str, Rule] = MappingProxyType({name: rule for rule, names in _RULES.items() for name in names.split()})
"""The rule for each operation, by its name in `keras.ops`."""
