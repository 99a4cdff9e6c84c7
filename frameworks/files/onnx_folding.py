"""Weights that a graph makes of constants by moving elements alone: torch's exporter cuts weights into gates and joins them.

Source: https://onnx.ai/onnx/operators/, Slice, Concat, Unsqueeze, Squeeze, Transpose, Identity and Cast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from frameworks.files.onnx_graph import Graph, Node
from frameworks.files.source import Array, StoredArray
from frameworks.files.views import derived

MAX_NODES, MAX_DEPTH = 200, 16


class NotConstantError(Exception):
    """What makes a value that is not made of constants, or not by moving them."""


def fold(name: str, graph: Graph, node: Node) -> tuple[StoredArray, set[str]]:
    """Give a value that `node` reads, computed anew whenever it is read, and the names of the constants that it is made of.

    Raises:
        NotConstantError: naming what makes it.
    """
    found = _Folding(graph, node.arrays)
    array = found.value(name, 0)

    def fetch(first: int, size: int) -> Array:
        return _Folding(graph, node.arrays).value(name, 0).reshape(-1)[first : first + size]

    return derived(array.shape, array.dtype, fetch), found.used


class _Folding:
    """One computation, in which each value is made once and all of them together have a bound."""

    def __init__(self, graph: Graph, arrays: Mapping[str, StoredArray]) -> None:
        self._graph, self._arrays = graph, arrays
        self._values: dict[str, Array] = {}
        self._left = 16 * sum(array.nbytes for array in graph.arrays.values()) + (1 << 20)
        self.used: set[str] = set()

    def value(self, name: str, depth: int) -> Array:
        if name not in self._values:
            self._values[name] = self._make(name, depth)
            self._left -= self._values[name].nbytes
            if self._left < 0 or len(self._values) > MAX_NODES:
                raise NotConstantError("more nodes than a weight needs")
        return self._values[name]

    def _make(self, name: str, depth: int) -> Array:
        if name in self._arrays:
            self.used.add(name)
            if self._arrays[name].nbytes > self._left:
                raise NotConstantError("more nodes than a weight needs")
            return self._arrays[name].read()
        node = self._graph.makers.get(name)
        if node is None or node.kind not in _OPERATIONS or depth > MAX_DEPTH:
            raise NotConstantError(node.kind if node else "")
        inputs = [self.value(each, depth + 1) for each in node.inputs]
        if sum(array.nbytes for array in inputs) > self._left:
            raise NotConstantError("more nodes than a weight needs")
        try:
            return np.asarray(_OPERATIONS[node.kind](node, inputs))
        except (ValueError, IndexError, TypeError, OverflowError) as error:
            raise NotConstantError(f"a {node.kind} that fits nothing") from error


def _numbers(node: Node, inputs: Sequence[Array], place: int, name: str) -> list[int]:
    """Give whole numbers that are an input in newer models and an attribute in older ones."""
    given: Any = inputs[place].reshape(-1).tolist() if len(inputs) > place else node.attributes.get(name, [])
    return [int(number) for number in given]


def _slice(node: Node, inputs: Sequence[Array]) -> Array:
    starts, ends, axes, steps = (_numbers(node, inputs, place + 1, name) for place, name in enumerate(_SLICE))
    places = [slice(None)] * inputs[0].ndim
    for at, (start, end) in enumerate(zip(starts, ends, strict=True)):
        places[axes[at] if axes else at] = slice(start, end, steps[at] if steps else None)
    found: Array = inputs[0][tuple(places)]
    return found


_SLICE = ("starts", "ends", "axes", "steps")


def _cast(node: Node, inputs: Sequence[Array]) -> Array:
    if node.attributes.get("to") != 1 or inputs[0].dtype not in (np.float16, np.float32):
        raise ValueError
    found: Array = inputs[0].astype(np.float32)
    return found


_OPERATIONS: Mapping[str, Callable[[Node, Sequence[Array]], Array]] = MappingProxyType(
    {
        "Slice": _slice,
        "Concat": lambda node, inputs: np.concatenate(inputs, axis=node.attributes.get("axis", 0)),
        "Unsqueeze": lambda node, inputs: np.expand_dims(inputs[0], tuple(_numbers(node, inputs, 1, "axes"))),
        "Squeeze": lambda node, inputs: np.squeeze(inputs[0], tuple(_numbers(node, inputs, 1, "axes")) or None),
        "Transpose": lambda node, inputs: np.transpose(inputs[0], node.attributes.get("perm")),
        "Identity": lambda _, inputs: inputs[0],
        "Cast": _cast,
    }
)
