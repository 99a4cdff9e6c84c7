"""Which tensors of a graph hold whole numbers or truth values: torch computes less with them than Keras does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from frameworks.kinds import kind_of
from frameworks.models.graph import Call, Graph, Layer, Tensor
from frameworks.models.pytorch.pieces import Name, literal

Numbers = Literal["bool", "int", "float"]
"""Ordered: of several operands the last one wins."""

FLOATING = "self.dtype"
"""The floating dtype that a model computes in, as source: that of its weights, which `.half()` and its kin change."""

_ORDER: tuple[Numbers, ...] = ("bool", "int", "float")

_BOOLEAN = frozenset(
    (
        *("equal", "not_equal", "greater", "greater_equal", "less", "less_equal"),
        *("isnan", "isinf", "isfinite", "any", "all", "logical_and", "logical_or", "logical_xor", "logical_not"),
    )
)
_WHOLE = frozenset(("argmax", "argmin", "argsort"))
_SAME = frozenset(
    (
        *("add", "subtract", "multiply", "floor_divide", "mod", "power", "bitwise_and", "bitwise_or", "bitwise_xor"),
        *("matmul", "einsum", "tensordot", "outer", "maximum", "minimum", "clip", "where"),
        *("abs", "absolute", "negative", "sign", "square", "round", "trunc", "sum", "prod", "max", "amax", "min", "amin"),
        *("sort", "top_k", "cumsum", "cumprod", "get_item", "reshape", "transpose", "swapaxes", "moveaxis", "expand_dims"),
        *("squeeze", "concatenate", "stack", "split", "unstack", "repeat", "tile", "flip", "roll", "pad", "broadcast_to"),
        *("take", "take_along_axis", "tril", "triu", "copy", "stop_gradient", "zeros_like", "ones_like", "full_like"),
        *("relu", "relu6"),
    )
)
"""Operations whose results hold the numbers that they read; those of all others but `_BOOLEAN` and `_WHOLE` are floating."""

_COUNTED = frozenset(("sum", "prod", "cumsum", "cumprod", "subtract", "negative", "abs", "absolute", "square", "trunc"))
"""Operations that make whole numbers of truth values."""

_OF_TRUTH = frozenset(("any", "all"))
_NOT_OF_TRUTH = frozenset(("subtract", "negative", "abs", "absolute", "trunc", "argmax", "argmin"))
"""Operations that torch lacks for truth values."""

_CONTRACTED = frozenset(("matmul", "einsum", "tensordot", "outer"))
"""Operations all of whose operands must have one dtype in torch."""

_PROMOTED = frozenset(("add", "subtract", "multiply", "divide", "true_divide", "maximum", "minimum", "where", "power", "mod"))
"""Operations for which torch promotes whole numbers beside floating ones."""

_TAKING = frozenset(("cast", "one_hot", "zeros_like", "ones_like", "full_like", "take", "take_along_axis", "get_item"))
"""Operations that take whole numbers whatever they return."""

_MOVED = frozenset(("reshape", "flatten", "permute", "repeat", "concatenate", "merging", "padding", "cropping", "upsampling"))
"""Layers, by the rules for their shapes, that only move or merge numbers."""

_KEPT = frozenset(("Identity", "ActivityRegularization", "Masking"))
"""Further layers that return the numbers that they read."""


@lru_cache(maxsize=32)
def numbers_in(graph: Graph) -> Mapping[Tensor, Numbers]:
    """Return what the tensors of a graph hold; floating numbers are in those that are missing."""
    found: dict[Tensor, Numbers] = {each: of_dtype(graph.dtypes.get(each)) for each in graph.inputs}
    for call in graph.calls:
        results = _results(graph.layers[call.layer], call, found)
        found |= dict(zip(call.results, results, strict=False))
    return {tensor: numbers for tensor, numbers in found.items() if numbers != "float"}


def of_dtype(dtype: Any) -> Numbers:
    """Return what a dtype, as a file states it, holds."""
    name = dtype if isinstance(dtype, str) else "float32"
    return "bool" if name == "bool" else "int" if name.startswith(("int", "uint")) else "float"


def casts_whole_numbers(layer: Layer) -> bool:
    """Return whether a layer computes with floating numbers, into which it casts whole ones that it reads."""
    if layer.is_operation or layer.gap or layer.graph is not None or layer.core.graph is not None:
        return False
    return not _moves(layer) and kind_of(layer.core.kind).shape not in ("embedding", "heads", "")


def _moves(layer: Layer) -> bool:
    """Return whether a layer moves or merges numbers without dividing them."""
    kind = kind_of(layer.core.kind)
    return kind.name in _KEPT or (kind.shape in _MOVED and kind.name != "Average")


def is_cut(layer: Layer) -> bool:
    """Return whether Keras cuts what a layer returns to whole numbers where it reads such."""
    return kind_of(layer.core.kind).shape == "normalising"


def arguments_read(operation: str, call: Call, args: Any, kwargs: Any, graph: Graph) -> tuple[Any, Any]:
    """Return the arguments of an operation in numbers with which torch computes what Keras does.

    Args:
        operation: a function of `keras.ops`.
        call: its call.
        args: the positional arguments, with a name for each tensor.
        kwargs: likewise, the keyword arguments.
        graph: the graph of the call.

    Raises:
        TypeError: for numbers of which torch computes something else.
    """
    numbers = numbers_in(graph)
    if operation == "mean" and graph.version < (3,) and numbers.get(call.reads[0]) == "int":
        raise TypeError("whole numbers, whose mean TensorFlow cuts to a whole number")
    first = 1 if operation == "where" else 0  # its condition stays as it is
    reading = _Reading(operation, call, numbers)
    return (*args[:first], *reading.read(call.args[first:], tuple(args)[first:])), reading.read(dict(call.kwargs), kwargs)


def constant(values: Any, beside: str) -> str:
    """Return floating numbers as a tensor of the dtype and on the device of a floating tensor.

    Args:
        values: a number, or nested lists of numbers.
        beside: the expression of the tensor.
    """
    tensor = beside.removesuffix(f".to({FLOATING})")
    dtype = f"{tensor}.dtype" if tensor == beside else FLOATING
    return f"torch.tensor({literal(values)}, dtype={dtype}, device={tensor}.device)"


class _Reading:
    """The arguments of one call of an operation."""

    def __init__(self, operation: str, call: Call, numbers: Mapping[Tensor, Numbers]) -> None:
        self.operation, self.call, self.numbers = operation, call, numbers
        result = next(_of_operation(operation, call, numbers))
        self.floats = result == "float" and operation not in _TAKING
        if operation in _CONTRACTED and result == "bool":
            raise TypeError("truth values alone")

    def read(self, value: Any, named: Any) -> Any:
        """Return an argument, given as the graph has it and with a name for each tensor."""
        if isinstance(value, Mapping):
            return {name: self.read(each, named[name]) for name, each in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(map(self.read, value, named))
        if isinstance(value, np.ndarray) and self.floats and self.operation in _CONTRACTED:
            return value.astype(np.float32)
        held = self.numbers.get(value) if isinstance(value, Tensor) else None
        return named if held is None else Name(f"{named}{self._cast(held)}")

    def _cast(self, held: Numbers) -> str:
        """Return what casts a tensor of whole numbers or truth values; "" for nothing."""
        if self.floats:
            return "" if self._is_promoted(held) else f".to({FLOATING})"
        if self.operation in _OF_TRUTH and held != "bool":
            return ".bool()"
        return ".int()" if self.operation in _NOT_OF_TRUTH and held == "bool" else ""

    def _is_promoted(self, held: Numbers) -> bool:
        """Return whether torch computes with floating numbers, since another operand is a floating tensor."""
        if self.operation not in _PROMOTED or (self.operation == "subtract" and held == "bool"):
            return False
        return any(each not in self.numbers for each in self.call.reads)


def _results(layer: Layer, call: Call, numbers: Mapping[Tensor, Numbers]) -> Iterator[Numbers]:
    if layer.graph is not None:
        inside = numbers_in(layer.graph)
        yield from (inside.get(each, "float") for each in layer.graph.outputs)
    elif layer.is_operation:
        yield from _of_operation(layer.kind.removeprefix("ops."), call, numbers)
    elif _moves(layer):
        yield _of_operands(call.args, numbers)


def _of_operation(name: str, call: Call, numbers: Mapping[Tensor, Numbers]) -> Iterator[Numbers]:
    stated = call.kwargs.get("dtype") or (call.args[1] if name == "cast" and len(call.args) > 1 else None)
    read = (call.args[1:] if name == "where" else call.args, dict(call.kwargs))
    held: Numbers = "bool" if name in _BOOLEAN else "int" if name in _WHOLE else "float"
    if stated is not None:
        held = of_dtype(stated)
    elif name in _SAME:
        held = _of_operands(read, numbers)
        held = "int" if held == "bool" and name in _COUNTED else held
    for at in range(call.outputs):
        yield "int" if name == "top_k" and at == 1 else held


def _of_operands(value: Any, numbers: Mapping[Any, Numbers]) -> Numbers:
    held = max((_ORDER.index(each) for each in _each(value, numbers)), default=_ORDER.index("bool"))
    return _ORDER[held]


def _each(value: Any, numbers: Mapping[Any, Numbers]) -> Iterator[Numbers]:
    if isinstance(value, Mapping):
        yield from _each(list(value.values()), numbers)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _each(each, numbers)
    elif isinstance(value, Tensor):
        yield numbers.get(value, "float")
    elif isinstance(value, np.ndarray):
        yield "float" if value.dtype.kind == "f" else "int"
    elif isinstance(value, float):
        yield "float"
