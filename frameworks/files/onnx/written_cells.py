"""Whether the operators of a graph compute a cell of torch from the arrays that have its names.

Source: aten/src/ATen/native/RNN.cpp, whose cells the exporters of torch write out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from frameworks.files.onnx.graph import Graph, Node
from frameworks.files.onnx.operators import constant

_SAME, _PRODUCTS = ("Identity", "Cast"), ("Gemm", "MatMul")
_MOST_MOVES = 8
_COMMUTE = ("Add", "Mul")
_ANY, _IH, _HH = "any", "weight_ih", "weight_hh"
Pattern = Any
"""`_ANY`; a product with a weight; ("part", number, pattern) of a split; or an operator with the patterns of its inputs."""

_SUM = ("Add", _IH, _HH)


def _gate(number: int, function: str = "Sigmoid") -> Pattern:
    """Return the pattern of a gate of an LSTM."""
    return (function, ("part", number, _SUM))


def _summed(number: int) -> Pattern:
    """Return the pattern of a gate of a GRU, whose two products are split before they are added."""
    return ("Sigmoid", ("Add", ("part", number, _IH), ("part", number, _HH)))


_CELL_STATE = ("Add", ("Mul", _gate(1), _ANY), ("Mul", _gate(0), _gate(2, "Tanh")))
_CANDIDATE = ("Tanh", ("Add", ("part", 2, _IH), ("Mul", ("part", 2, _HH), _summed(0))))
_CELLS: Mapping[str, tuple[Pattern, ...]] = MappingProxyType(
    {
        "lstm": (("Mul", _gate(3), ("Tanh", _CELL_STATE)),),
        "gru": (
            ("Add", ("Mul", ("Sub", _ANY, _CANDIDATE), _summed(1)), _CANDIDATE),
            ("Add", ("Mul", ("Sub", _ANY, _summed(1)), _CANDIDATE), ("Mul", _summed(1), _ANY)),
        ),
        "tanh": (("Tanh", _SUM),),
        "relu": (("Relu", _SUM),),
    }
)
"""The new hidden state of each cell, as exporters write it; a plain RNN is under its activation."""


def is_used(graph: Graph, owner: str) -> bool:
    """Return whether the graph multiplies with the weights of a module."""
    weights = (f"{owner}.{_IH}".removeprefix("."), f"{owner}.{_HH}".removeprefix("."))
    return any(name in weights for node in graph.nodes for name in node.inputs)


def nonlinearities(graph: Graph, owners: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the activation of the plain RNN that the graph computes with the weights of each module, as an attribute of it."""
    kinds = ("tanh", "relu")
    return {owner: {"nonlinearity": kind} for owner in owners for kind in kinds if computes(graph, owner, kind)}


def computes(graph: Graph, owner: str, cell: str) -> bool:
    """Return whether the graph computes a cell of torch with the weights of a module.

    Args:
        graph: the graph.
        owner: the module's name.
        cell: "lstm", "gru", or the activation of a plain RNN: "tanh", "relu".
    """
    kinds = {pattern[0] for pattern in _CELLS[cell]}
    found = (node for node in graph.nodes if node.kind in kinds and node.outputs)
    return any(_matches(node, node.outputs[0], pattern, owner) for node in found for pattern in _CELLS[cell])


def _matches(node: Node | None, name: str, pattern: Pattern, owner: str) -> bool:
    """Return whether a value fits a pattern.

    Args:
        node: the node that computes it; None if it is an input or a constant.
        name: its name.
        pattern: the pattern.
        owner: the name of the module that has the weights.
    """
    if pattern == _ANY:
        return True
    for _ in range(_MOST_MOVES):
        if node is not None and node.kind in _SAME and node.inputs:
            name = node.inputs[0]
            node = node.maker(name)
    if node is None or not node.is_standard or not node.inputs:
        return False
    if isinstance(pattern, str):
        weight = constant(node.inputs[1], node) if node.kind in _PRODUCTS and len(node.inputs) > 1 else None
        return weight is not None and weight.name == f"{owner}.{pattern}".removeprefix(".")
    kind, *parts = pattern
    if kind == "part":
        is_part = node.kind == "Split" and list(node.outputs).index(name) == parts[0]
        return is_part and _matches(node.maker(node.inputs[0]), node.inputs[0], parts[1], owner)
    if node.kind != kind or len(node.inputs) != len(parts):
        return False
    orders = [node.inputs, node.inputs[::-1]] if kind in _COMMUTE else [node.inputs]
    return any(
        all(_matches(node.maker(each), each, part, owner) for each, part in zip(order, parts, strict=True)) for order in orders
    )
