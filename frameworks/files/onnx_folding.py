"""Weights that an ONNX graph makes of constants: torch's exporter cuts a module's weights into gates and joins them anew.

Source: https://onnx.ai/onnx/operators/, Slice, Concat, Unsqueeze, Squeeze, Transpose and Identity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from frameworks.files.onnx_graph import Graph, Node
from frameworks.files.source import StoredArray

Array = npt.NDArray[Any]

MAX_DEPTH = 16


class Folding:
    """The values of a graph that follow from its constants alone.

    Args:
        graph: of the file.
    """

    def __init__(self, graph: Graph) -> None:
        """Find what makes each value."""
        self._tensors = graph.tensors
        self._makers = {output: node for node in graph.nodes for output in node.outputs[:1] if node.kind in _OPERATIONS}
        self._most = sum(array.nbytes for array in graph.tensors.values())

    def find(self, value: str) -> StoredArray | None:
        """Give a value that is a constant, or made of constants by moving them alone; None for any other."""
        if value in self._tensors or value not in self._makers:
            return self._tensors.get(value)
        try:
            array = np.ascontiguousarray(self._compute(value, 0))
        except (_NotConstantError, ValueError, IndexError, TypeError):
            return None
        if not array.size:
            return None
        content = array.reshape(-1).view(np.uint8)

        def read_into(start: int, buffer: memoryview) -> None:
            buffer[:] = content[start : start + len(buffer)].data

        return StoredArray(array.shape, array.dtype, read_into)

    def _compute(self, value: str, depth: int) -> Array:
        if value in self._tensors:
            return self._tensors[value].read()
        node = self._makers.get(value)
        if node is None or depth > MAX_DEPTH:
            raise _NotConstantError
        inputs = [self._compute(name, depth + 1) for name in node.inputs[:_MOST_INPUTS] if name]
        if len(inputs) != len(node.inputs) or sum(array.nbytes for array in inputs) > self._most:
            raise _NotConstantError
        return _OPERATIONS[node.kind](node, inputs)


_MOST_INPUTS = 8


class _NotConstantError(Exception):
    """A value that is no constant, or one larger than all constants of the file."""


def _slice(node: Node, inputs: Sequence[Array]) -> Array:
    starts, ends, axes, steps = (_numbers(node, inputs, at, name) for at, name in enumerate(_SLICE, start=1))
    places = [slice(None)] * inputs[0].ndim
    for at, (start, end) in enumerate(zip(starts, ends, strict=True)):
        places[axes[at] if axes else at] = slice(start, end, steps[at] if steps else None)
    return inputs[0][tuple(places)]


_SLICE = ("starts", "ends", "axes", "steps")


def _numbers(node: Node, inputs: Sequence[Array], at: int, name: str) -> list[int]:
    """Give whole numbers that newer models have as an input and older ones as an attribute."""
    given = inputs[at].reshape(-1).tolist() if len(inputs) > at else node.attributes.get(name) or []
    return [int(number) for number in (given if isinstance(given, list) else [given])]


def _concat(node: Node, inputs: Sequence[Array]) -> Array:
    return np.concatenate(inputs, axis=int(node.attributes.get("axis") or 0))


def _unsqueeze(node: Node, inputs: Sequence[Array]) -> Array:
    return np.expand_dims(inputs[0], tuple(_numbers(node, inputs, 1, "axes")))


def _squeeze(node: Node, inputs: Sequence[Array]) -> Array:
    return np.squeeze(inputs[0], tuple(_numbers(node, inputs, 1, "axes")) or None)


def _transpose(node: Node, inputs: Sequence[Array]) -> Array:
    return np.transpose(inputs[0], _numbers(node, inputs, 1, "perm") or None)


_OPERATIONS: Mapping[str, Callable[[Node, Sequence[Array]], Array]] = MappingProxyType(
    {
        "Slice": _slice,
        "Concat": _concat,
        "Unsqueeze": _unsqueeze,
        "Squeeze": _squeeze,
        "Transpose": _transpose,
        "Identity": lambda _, inputs: inputs[0],
    }
)
