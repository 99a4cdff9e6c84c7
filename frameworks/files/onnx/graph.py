"""Graphs of ONNX models: all nodes, including those of inner graphs and functions, and the arrays in scope of each.

Source: onnx/onnx.proto, which defines the field numbers.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from frameworks.files.onnx.tensor import Neighbours, read_tensor
from frameworks.files.untrusted.protobuf import Message, as_float, as_message, as_number, message_of, signed
from frameworks.files.untrusted.source import Source, StoredArray, in_memory, unsupported

MAX_DEPTH = 24
_CONSTANTS: Mapping[str, tuple[type, str]] = {
    "value_float": (float, "f4"),
    "value_floats": (float, "f4"),
    "value_int": (int, "i8"),
    "value_ints": (int, "i8"),
}
"""The Python type and the NumPy dtype of a constant's numbers, by the name of its attribute."""


@dataclass(frozen=True)
class Scope:
    """The meaning of names in a graph: its own names and those of the graphs around it.

    Args:
        arrays: the arrays stored in the file, by name.
        makers: the nodes that compute the other values, by the name of the value.
    """

    arrays: ChainMap[str, StoredArray]
    makers: ChainMap[str, Node]

    def within(self) -> Scope:
        """Return the scope of an inner graph."""
        return Scope(self.arrays.new_child(), self.makers.new_child())


@dataclass(frozen=True)
class Node:
    """An operator of a graph.

    Args:
        kind: "LSTM", "MatMul", ...
        domain: the domain that defines the operator; "" for ONNX.
        name: the node's name, or that of its first output.
        inputs: the names of its inputs; "" for an omitted one.
        outputs: the names of its outputs.
        attributes: its attributes by name: ints, floats, texts, lists of these, and messages other than graphs.
        scope: the scope of its inputs.
    """

    kind: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    scope: Scope


@dataclass
class Graph:
    """The contents of a model.

    Args:
        nodes: all nodes; a call of a function of the model is replaced by the nodes of the function.
        arrays: all arrays that are stored in the file, by their names in the graph.
        unread: the reasons why other arrays are not read, by name.
    """

    nodes: list[Node] = field(default_factory=list)
    arrays: dict[str, StoredArray] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)


def read_graph(source: Source) -> Graph:
    """Read the graph of a model.

    Raises:
        GatewiseError: for a damaged model.
    """
    model = message_of(source)
    reader = _Reader(Neighbours(source.folder), _functions(model))
    for graph in model.all(7):
        reader.read(as_message(graph), Scope(ChainMap(), ChainMap()), 0, {})
    return reader.graph


def _functions(model: Message) -> dict[tuple[str, str], Message]:
    """Return the model's own functions by domain and name."""
    functions = {}
    for value in model.all(25):
        function = as_message(value)
        texts = {number: as_message(one).text() for number, one in function.fields() if number in (1, 10)}
        functions[texts.get(10, ""), texts.get(1, "")] = function
    return functions


class _Reader:
    """One reading of a model."""

    def __init__(self, neighbours: Neighbours, functions: Mapping[tuple[str, str], Message]) -> None:
        self.graph = Graph()
        self._neighbours, self._functions = neighbours, functions

    def read(self, graph: Message, scope: Scope, depth: int, given: Mapping[str, Any]) -> None:
        """Read a graph; `given` holds the attributes of the function around it."""
        for value in graph.all(5):
            self._keep(as_message(value), "", scope)
        self._read_nodes(graph.all(1), scope, depth, given)

    def _read_nodes(self, nodes: Iterator[int | Message], scope: Scope, depth: int, given: Mapping[str, Any]) -> None:
        for value in nodes:
            node = as_message(value)
            if depth > MAX_DEPTH:
                raise unsupported(node.bytes.source.name, f"nests graphs and functions more than {MAX_DEPTH} deep")
            self._read_node(node, scope, depth, given)

    def _keep(self, tensor: Message, name: str, scope: Scope) -> None:
        """Read an array of the file and add it to the scope, under `name` or, if that is empty, its own name."""
        own, stored = read_tensor(tensor, self._neighbours)
        name = name or own
        if isinstance(stored, str):
            self.graph.unread[name] = stored
        else:
            scope.arrays[name] = self.graph.arrays[name] = stored

    def _read_node(self, message: Message, scope: Scope, depth: int, given: Mapping[str, Any]) -> None:
        texts: dict[int, list[str]] = {1: [], 2: [], 3: [], 4: [], 7: []}
        attributes: dict[str, Any] = {}
        graphs: list[Message] = []
        for number, value in message.fields():
            if number in texts:
                texts[number].append(as_message(value).text())
            elif number == 5:
                attributes |= _attribute(as_message(value), graphs, given)
        kind, domain, outputs = "".join(texts[4][:1]), "".join(texts[7][:1]), tuple(texts[2])
        name = "".join(texts[3][:1]) or "".join(outputs[:1]) or kind
        node = Node(kind, domain, name, tuple(texts[1]), outputs, attributes, scope)
        if kind == "Constant" and outputs and self._read_constant(node):
            return
        if kind == "Identity" and len(node.inputs) == 1 and outputs and node.inputs[0] in scope.arrays:
            scope.arrays[outputs[0]] = scope.arrays[node.inputs[0]]
            return
        scope.makers.update(dict.fromkeys(outputs, node))
        for graph in graphs:
            self.read(graph, scope.within(), depth + 1, given)
        if (domain, kind) in self._functions:
            self._call(self._functions[domain, kind], node, depth + 1)
        else:
            self.graph.nodes.append(node)

    def _read_constant(self, node: Node) -> bool:
        """Add the array of a constant to its scope; return False if it does not hold numbers of the right type."""
        if isinstance(node.attributes.get("value"), Message):
            self._keep(node.attributes["value"], node.outputs[0], node.scope)
            return True
        for name, (kind, dtype) in _CONSTANTS.items():
            given = node.attributes.get(name)
            numbers = given if name.endswith("s") else [given]
            if isinstance(numbers, list) and all(isinstance(number, kind) for number in numbers):
                node.scope.arrays[node.outputs[0]] = in_memory(np.array(given, dtype))
                return True
        return False

    def _call(self, function: Message, node: Node, depth: int) -> None:
        """Read the body of a function, with the inputs of the node that calls it."""
        scope = Scope(ChainMap(), ChainMap())
        formal = [as_message(value).text() for value in function.all(4)]
        for name, actual in zip(formal, node.inputs, strict=False):
            if actual in node.scope.arrays:
                scope.arrays[name] = node.scope.arrays[actual]
            elif actual in node.scope.makers:
                scope.makers[name] = Node("Identity", "", name, (actual,), (name,), {}, node.scope)
        defaults: dict[str, Any] = {}
        for value in function.all(11):
            defaults |= _attribute(as_message(value), [], {})
        self._read_nodes(function.all(7), scope, depth, {**defaults, **node.attributes})


def _attribute(message: Message, graphs: list[Message], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return an attribute as a mapping from name to value; it is empty if the function was called without the attribute.

    Graphs are appended to `graphs` instead.
    """
    name = referred = ""
    value: Any = None
    items: list[Any] = []
    for number, content in message.fields():
        if number == 1:
            name = as_message(content).text()
        elif number in _SINGLE:
            value = _SINGLE[number](content)
        elif number in (6, 11):
            graphs.append(as_message(content))
        elif number in (7, 8, 9):
            items += _items(number, content)
        elif number == 21:
            referred = as_message(content).text()
    if referred:
        return {name: given[referred]} if referred in given else {}
    return {name: value if value is not None else items}


def _text(message: Message) -> str:
    """Read a short text; return "" for anything else."""
    size = message.end - message.start
    return message.bytes.source.read(message.start, size).decode(errors="replace") if size < 1000 else ""


def _items(number: int, content: int | Message) -> list[Any]:
    if number == 9:
        return [_text(as_message(content))]
    if isinstance(content, Message):
        return content.floats() if number == 7 else [signed(each) for each in content.numbers()]
    return [as_float(content) if number == 7 else signed(content)]


_SINGLE: Mapping[int, Callable[[int | Message], Any]] = {
    2: lambda content: as_float(as_number(content)),
    3: lambda content: signed(as_number(content)),
    4: lambda content: _text(as_message(content)),
    5: as_message,
}
"""Readers of an attribute's single value, by the number of its field."""
