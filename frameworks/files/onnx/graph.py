"""Graphs of ONNX models: nodes, those of graphs within nodes and of functions too, and the arrays that each can see.

Source: onnx/onnx.proto, whose numbers of fields these are.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from frameworks.files.onnx.tensor import Neighbours, read_tensor
from frameworks.files.untrusted.protobuf import Message, as_float, as_message, as_number, message_of, signed
from frameworks.files.untrusted.source import Source, StoredArray, damaged, in_memory

MAX_DEPTH = 24
_CONSTANTS: Mapping[str, tuple[type, str]] = {
    "value_float": (float, "f4"),
    "value_floats": (float, "f4"),
    "value_int": (int, "i8"),
    "value_ints": (int, "i8"),
}
"""By the name of a constant's attribute, what its numbers are in Python and in NumPy."""


@dataclass(frozen=True)
class Scope:
    """What names stand for at some place: those of the graph there, and of the ones around it.

    Args:
        arrays: that are stored in the file.
        makers: the nodes that compute other values.
    """

    arrays: ChainMap[str, StoredArray]
    makers: ChainMap[str, Node]

    def within(self) -> Scope:
        """Give the scope of a graph within."""
        return Scope(self.arrays.new_child(), self.makers.new_child())


@dataclass(frozen=True)
class Node:
    """An operator of a graph.

    Args:
        kind: "LSTM", "MatMul", ...
        domain: who defined it; "" for ONNX.
        name: of the node, or of its first output.
        inputs: the names of what it reads; "" for one that it does without.
        outputs: the names of what it gives.
        attributes: by name: ints, floats, texts, lists of them; messages that are no graphs.
        scope: of what it reads.
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
    """What a model holds.

    Args:
        nodes: all of them; in place of a node that calls a function of the model, those of the function.
        arrays: all that are stored in the file, by the names that the graph has for them.
        unread: names of those that are not read, and why.
    """

    nodes: list[Node] = field(default_factory=list)
    arrays: dict[str, StoredArray] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)


def read_graph(source: Source) -> Graph:
    """Read the graph of a model.

    Raises:
        GatewiseError: for a damaged one.
    """
    model = message_of(source)
    reader = _Reader(Neighbours(source.folder), _functions(model))
    for graph in model.all(7):
        reader.read(as_message(graph), Scope(ChainMap(), ChainMap()), 0, {})
    return reader.found


def _functions(model: Message) -> dict[tuple[str, str], Message]:
    """Give the model's own functions by domain and name."""
    found = {}
    for value in model.all(25):
        function = as_message(value)
        texts = {number: as_message(one).text() for number, one in function.fields() if number in (1, 10)}
        found[texts.get(10, ""), texts.get(1, "")] = function
    return found


class _Reader:
    """One reading of a model."""

    def __init__(self, neighbours: Neighbours, functions: Mapping[tuple[str, str], Message]) -> None:
        self.found = Graph()
        self._neighbours, self._functions = neighbours, functions

    def read(self, graph: Message, scope: Scope, depth: int, given: Mapping[str, Any]) -> None:
        """Read a graph; `given` are the attributes of the function that it is in."""
        for value in graph.all(5):
            self._keep(as_message(value), "", scope)
        self._read_nodes(graph.all(1), scope, depth, given)

    def _read_nodes(self, nodes: Iterator[int | Message], scope: Scope, depth: int, given: Mapping[str, Any]) -> None:
        for value in nodes:
            node = as_message(value)
            if depth > MAX_DEPTH:
                raise damaged(node.bytes.source.name, f"nests graphs and functions more than {MAX_DEPTH} deep")
            self._read_node(node, scope, depth, given)

    def _keep(self, tensor: Message, name: str, scope: Scope) -> None:
        """Read an array of the file and keep it under its name, or the one that it is given."""
        own, stored = read_tensor(tensor, self._neighbours)
        name = name or own
        if isinstance(stored, str):
            self.found.unread[name] = stored
        else:
            scope.arrays[name] = self.found.arrays[name] = stored

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
            self.found.nodes.append(node)

    def _read_constant(self, node: Node) -> bool:
        """Keep the array that a node is, where it is one; of what is no number of its kind, none is."""
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
        """Read the body of a function, whose inputs stand for what the node gives it."""
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
    """Give the value of an attribute by its name; graphs are put apart, and a value that a function is given may be absent."""
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
    """Read a short text; others, and bytes that are none, are nothing that a node of interest says."""
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
"""By the number of the field of an attribute's only value, how it is read."""
