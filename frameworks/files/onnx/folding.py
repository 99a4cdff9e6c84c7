"""Weights that a graph computes from constants by moving or widening elements, as exporters split and join weights.

Source: https://onnx.ai/onnx/operators/, Slice, Split, Gather, Concat, Reshape, Transpose, Cast, DequantizeLinear and so on.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from frameworks.files.onnx.graph import Graph, Node, Scope
from frameworks.files.onnx.tensor import FLOATS, WHOLE_NUMBERS, Neighbours, read_tensor
from frameworks.files.untrusted.derived_arrays import WidenedArray, derived
from frameworks.files.untrusted.protobuf import Message
from frameworks.files.untrusted.source import Array, StoredArray, in_memory

MAX_NODES, MAX_DEPTH = 400, 32
Arrays = dict[str, StoredArray]
_Known = dict[tuple[int, str], Arrays | None]
_LARGEST_ZERO = 1 << 24


class NotConstantError(Exception):
    """Names the operator that computes a value from more than constants."""


def fold(name: str, graph: Graph, scope: Scope) -> tuple[StoredArray, Arrays]:
    """Return an array that is computed at each read, and the constants from which it is computed, by name.

    Raises:
        NotConstantError: for a value that is not computed from constants; it names the operator.
    """
    folding = _Folding(graph)
    array = folding.value(name, scope, 0)

    def fetch(first: int, size: int) -> Array:
        return _Folding(graph).value(name, scope, 0).reshape(-1)[first : first + size]

    folded = derived(array.shape, array.dtype, fetch)
    if folding.was:
        folded = WidenedArray(folded.shape, folded.dtype, folded.read_into, was=folding.was)
    return folded, folding.used


def zeros(name: str, scope: Scope) -> Arrays | None:
    """Return the arrays from which a value is computed, by name, if all its elements are zero; otherwise None."""
    return _zeros(name, scope, 0, {})


def _zeros(name: str, scope: Scope, depth: int, known: _Known) -> Arrays | None:
    """Examine each value once, and a limited number of values; a value computed from itself is not zero."""
    key = id(scope), name
    if key not in known:
        known[key] = None
        known[key] = _made_zeros(name, scope, depth, known) if len(known) <= MAX_NODES else None
    return known[key]


def _made_zeros(name: str, scope: Scope, depth: int, known: _Known) -> Arrays | None:
    if name in scope.arrays:
        array = scope.arrays[name]
        return None if array.nbytes > _LARGEST_ZERO or np.any(array.read()) else {name: array}
    node = scope.makers.get(name)
    if node is None or depth > MAX_DEPTH:
        return None
    if node.kind == "ConstantOfShape":
        try:
            return None if np.any(_filling(node)) else {}
        except ValueError:
            return None
    parts = node.inputs if node.kind == "Concat" else node.inputs[:1]
    if node.kind not in (*_MOVES, "Tile") or not parts:
        return None
    found = [_zeros(each, node.scope, depth + 1, known) for each in parts]
    return None if any(each is None for each in found) else dict(ChainMap(*(each or {} for each in found)))


class _Folding:
    """One computation, which computes each value once and limits their total size."""

    def __init__(self, graph: Graph) -> None:
        self._values: dict[tuple[int, str], Array] = {}
        self._left = 16 * sum(array.nbytes for array in graph.arrays.values()) + (1 << 20)
        self.used: dict[str, StoredArray] = {}
        self.was = ""

    def value(self, name: str, scope: Scope, depth: int) -> Array:
        key = id(scope), name
        if key not in self._values:
            self._values[key] = self._make(name, scope, depth)
            self._left -= self._values[key].nbytes
            if self._left < 0 or len(self._values) > MAX_NODES:
                raise NotConstantError("more nodes or memory than a weight needs")
        return self._values[key]

    def _make(self, name: str, scope: Scope, depth: int) -> Array:
        if name in scope.arrays:
            self.used[name] = scope.arrays[name]
            return self._read(scope.arrays[name])
        node = scope.makers.get(name)
        if node is None or node.kind not in _OPERATIONS or node.domain not in ("", "ai.onnx") or depth > MAX_DEPTH:
            raise NotConstantError(node.kind if node else "")
        inputs = [self.value(each, node.scope, depth + 1) for each in node.inputs if each]
        if len(inputs) < len(node.inputs) and "" in node.inputs[: len(inputs)]:
            raise NotConstantError(f"a {node.kind} without one of its inputs")
        if sum(array.nbytes for array in inputs) > self._left:
            raise NotConstantError("more nodes or memory than a weight needs")
        try:
            result = _OPERATIONS[node.kind](node, inputs)
            return np.asarray(result[node.outputs.index(name)] if isinstance(result, list) else result)
        except (ValueError, IndexError, TypeError, OverflowError) as error:
            raise NotConstantError(f"a {node.kind} that does not fit its inputs") from error

    def _read(self, array: StoredArray) -> Array:
        if array.nbytes > self._left:
            raise NotConstantError("more nodes or memory than a weight needs")
        if isinstance(array, WidenedArray) or array.dtype == np.float16:
            self.was = getattr(array, "was", "float16")
        return array.read()


def _numbers(node: Node, inputs: Sequence[Array], place: int, name: str) -> list[int]:
    """Return integers that are an input in newer models and an attribute in older ones."""
    given: Any = inputs[place].reshape(-1).tolist() if len(inputs) > place else node.attributes.get(name, [])
    return [int(number) for number in given]


def _slice(node: Node, inputs: Sequence[Array]) -> Array:
    starts, ends, axes, steps = (_numbers(node, inputs, place + 1, name) for place, name in enumerate(_SLICE))
    places = [slice(None)] * inputs[0].ndim
    for at, (start, end) in enumerate(zip(starts, ends, strict=True)):
        places[axes[at] if axes else at] = slice(start, end, steps[at] if steps else None)
    sliced: Array = inputs[0][tuple(places)]
    return sliced


_SLICE = ("starts", "ends", "axes", "steps")


def _split(node: Node, inputs: Sequence[Array]) -> list[Array]:
    axis, sizes = node.attributes.get("axis", 0), _numbers(node, inputs, 1, "split")
    if not sizes:
        size = -(-inputs[0].shape[axis] // len(node.outputs))
        return np.split(inputs[0], range(size, inputs[0].shape[axis], size), axis)
    if sum(sizes) != inputs[0].shape[axis] or min(sizes) < 0:
        raise ValueError
    return np.split(inputs[0], np.cumsum(sizes)[:-1], axis)


def _reshape(node: Node, inputs: Sequence[Array]) -> Array:
    wanted, own = _numbers(node, inputs, 1, "shape"), inputs[0].shape
    if not node.attributes.get("allowzero"):
        wanted = [own[axis] if size == 0 else size for axis, size in enumerate(wanted)]
    return inputs[0].reshape(wanted)


def _expand(node: Node, inputs: Sequence[Array]) -> Array:
    shape = np.broadcast_shapes(inputs[0].shape, tuple(_numbers(node, inputs, 1, "shape")))
    return np.broadcast_to(inputs[0], shape)


def _gather(node: Node, inputs: Sequence[Array]) -> Array:
    axis = node.attributes.get("axis", 0)
    if inputs[1].size > inputs[0].shape[axis]:  # repeated elements could take up any size
        raise ValueError
    gathered: Array = np.take(inputs[0], inputs[1], axis=axis)
    return gathered


def _filling(node: Node) -> Array:
    """Return the element of a ConstantOfShape."""
    given = node.attributes.get("value")
    _, stored = read_tensor(given, Neighbours(None)) if isinstance(given, Message) else ("", in_memory(np.zeros(1, "f4")))
    if isinstance(stored, str) or stored.nbytes > _WIDEST:
        raise ValueError
    return stored.read().reshape(())


_WIDEST = 16


def _cast(node: Node, inputs: Sequence[Array]) -> Array:
    """Cast as the graph does. Casts from float to integer are refused, because they may round and no weight needs them."""
    to: Any = node.attributes.get("to")
    name = FLOATS.get(to) if inputs[0].dtype.kind == "f" else {**FLOATS, **WHOLE_NUMBERS}.get(to)
    if name is None:
        raise ValueError
    with np.errstate(over="ignore"):
        cast: Array = inputs[0].astype(name)
    return cast


def _dequantise(node: Node, inputs: Sequence[Array]) -> Array:
    array, scale, *zero = inputs
    if node.attributes.get("block_size") or scale.ndim > 1 or array.dtype.kind not in "iu" or scale.dtype != np.float32:
        raise ValueError
    shape = [1] * array.ndim
    if scale.size > 1:
        shape[node.attributes.get("axis", 1)] = scale.size
        if scale.size != array.shape[node.attributes.get("axis", 1)]:
            raise ValueError
    whole = array.astype(np.int32) - (zero[0].astype(np.int32).reshape(shape) if zero else 0)
    weights: Array = whole.astype(np.float32) * scale.reshape(shape)
    return weights


_MOVES: Mapping[str, Callable[[Node, Sequence[Array]], Array | list[Array]]] = MappingProxyType(
    {
        "Slice": _slice,
        "Split": _split,
        "Gather": _gather,
        "Concat": lambda node, inputs: np.concatenate(inputs, axis=node.attributes.get("axis", 0)),
        "Reshape": _reshape,
        "Expand": _expand,
        "Unsqueeze": lambda node, inputs: np.expand_dims(inputs[0], tuple(_numbers(node, inputs, 1, "axes"))),
        "Squeeze": lambda node, inputs: np.squeeze(inputs[0], tuple(_numbers(node, inputs, 1, "axes")) or None),
        "Transpose": lambda node, inputs: np.transpose(inputs[0], node.attributes.get("perm")),
        "Identity": lambda _, inputs: inputs[0],
        "Cast": _cast,
    }
)
_OPERATIONS = MappingProxyType(
    {
        **_MOVES,
        "ConstantOfShape": lambda node, inputs: np.broadcast_to(_filling(node), _numbers(node, inputs, 0, "")),
        "DequantizeLinear": _dequantise,
    }
)
