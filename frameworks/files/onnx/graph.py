"""Graphs of ONNX models: all nodes, including those of inner graphs and functions, and the arrays in scope of each.

Source: onnx/onnx.proto, which defines the field numbers.
"""

from __future__ import annotations

import re
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
class Module:
    """The module of torch that a node computes a part of, as newer exporters state it.

    Args:
        name: the module's name in its model; "" for the model itself.
        class_name: its class, if that is one of torch.nn's; otherwise "".
    """

    name: str
    class_name: str


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
        module: the module of torch that it belongs to; None if the file does not state it.
        body: the nodes of its inner graphs.
    """

    kind: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    scope: Scope
    module: Module | None = None
    body: tuple[Node, ...] = ()

    @property
    def is_standard(self) -> bool:
        """Whether ONNX itself defines the operator."""
        return self.domain in ("", "ai.onnx")

    def maker(self, name: str) -> Node | None:
        """Return the node that computes one of the inputs, or None."""
        return self.scope.makers.get(name)


@dataclass
class Graph:
    """The contents of a model.

    Args:
        producer: the program that wrote the model.
        nodes: all nodes; a call of a function of the model is replaced by the nodes of the function.
        arrays: all arrays that are stored in the file, by their names in the graph. Several names may share an array.
        literals: the names of the arrays that are constants of the graph rather than parameters.
        unread: the reasons why other arrays are not read, by name.
    """

    producer: str = ""
    nodes: list[Node] = field(default_factory=list)
    arrays: dict[str, StoredArray] = field(default_factory=dict)
    literals: set[str] = field(default_factory=set)
    unread: dict[str, str] = field(default_factory=dict)


def read_graph(source: Source) -> Graph:
    """Read the graph of a model.

    Raises:
        GatewiseError: for a damaged model.
    """
    model = message_of(source)
    reader = _Reader(Neighbours(source.folder), _functions(model))
    reader.graph.producer = "".join(_text(as_message(name)) for name in model.all(2))
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
        metadata: list[Message] = []
        for number, value in message.fields():
            if number in texts:
                texts[number].append(as_message(value).text())
            elif number == 5:
                attributes |= _attribute(as_message(value), graphs, given)
            elif number == _METADATA:
                metadata.append(as_message(value))
        kind, domain, outputs = "".join(texts[4][:1]), "".join(texts[7][:1]), tuple(texts[2])
        name = "".join(texts[3][:1]) or "".join(outputs[:1]) or kind
        begin = len(self.graph.nodes)
        for graph in graphs:
            self.read(graph, scope.within(), depth + 1, given)
        body = tuple(self.graph.nodes[begin:])
        node = Node(kind, domain, name, tuple(texts[1]), outputs, attributes, scope, _module(metadata), body)
        if kind == "Constant" and outputs and self._read_constant(node):
            return
        if kind == "Identity" and len(node.inputs) == 1 and outputs and node.inputs[0] in scope.arrays:
            scope.arrays[outputs[0]] = self.graph.arrays[outputs[0]] = scope.arrays[node.inputs[0]]
            return
        scope.makers.update(dict.fromkeys(outputs, node))
        if (domain, kind) in self._functions:
            self._call(self._functions[domain, kind], node, depth + 1)
        else:
            self.graph.nodes.append(node)

    def _read_constant(self, node: Node) -> bool:
        """Add the array of a constant to its scope; return False if it does not hold numbers of the right type."""
        if isinstance(node.attributes.get("value"), Message):
            self._keep(node.attributes["value"], node.outputs[0], node.scope)
            self.graph.literals.add(node.outputs[0])
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
                scope.makers[name] = Node("Identity", "", name, (actual,), (name,), {}, node.scope, node.module)
        defaults: dict[str, Any] = {}
        for value in function.all(11):
            defaults |= _attribute(as_message(value), [], {})
        self._read_nodes(function.all(7), scope, depth, {**defaults, **node.attributes})


_METADATA = 9
"""The number of a node's field for entries of metadata."""
_NAMES, _CLASSES = "pkg.torch.onnx.name_scopes", "namespace"
"""The entries in which torch's exporter states the modules around a node, from the outermost to the operator itself."""
_QUOTED = re.compile(r"'([^']*)'")
_TORCH_CLASS = re.compile(r".*: torch\.nn\.modules\.(?:\w+\.)*(\w+)")


def _module(metadata: list[Message]) -> Module | None:
    """Return the innermost module around a node, or None if the metadata do not state it."""
    entries: dict[str, str] = {}
    for entry in metadata:
        content = {number: as_message(value) for number, value in entry.fields() if number in (1, 2)}
        key = _text(content[1]) if len(content) == 2 else ""
        if key in (_NAMES, _CLASSES):
            entries[key] = _text(content[2])
    names = _QUOTED.findall(entries.get(_NAMES, ""))
    if len(names) < 2:  # the last one is the operator
        return None
    classes = entries.get(_CLASSES, "").split("/")
    match = _TORCH_CLASS.fullmatch(classes[-2]) if len(classes) == len(names) else None
    return Module(names[-2], match[1] if match else "")


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
