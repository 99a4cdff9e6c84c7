"""Graphs of ONNX models: nodes, and the arrays that are stored in the file, of the graph and of those within its nodes.

Source: onnx/onnx.proto, whose numbers of fields these are.
"""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from frameworks.files.protobuf import Message, as_float, message_of, signed
from frameworks.files.source import Source, StoredArray, damaged
from frameworks.files.views import check_shape, plain, widened

_DTYPES: Mapping[int, str] = dict(
    enumerate(("f4", "u1", "i1", "u2", "i2", "i4", "i8", "", "?", "f2", "f8", "u4", "u8", "c8", "c16", "u2"), start=1)
)
_TEXT, _BFLOAT16 = 8, 16
_PACKED: Mapping[int, int] = {4: 1, 10: 11}
"""By the number of a field of packed elements, the data type whose elements lie there as they are."""


@dataclass(frozen=True)
class Node:
    """An operator of a graph.

    Args:
        kind: "LSTM", "MatMul", ...
        domain: who defined it; "" for ONNX.
        name: of the node, or of its first output.
        inputs: the names of what it reads; "" for one that it does without.
        outputs: the names of what it gives.
        attributes: by name: ints, floats, texts, lists of them.
        arrays: what the names of arrays in the file stand for, where the node is.
    """

    kind: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    arrays: Mapping[str, StoredArray]


@dataclass
class Graph:
    """What a model holds.

    Args:
        nodes: all of them, those of graphs within nodes after the node.
        arrays: all that are stored in the file, by the names that the graph has for them.
        unread: names of those that are not read, and why.
        makers: by the name of a value, the node that computes it.
    """

    nodes: list[Node] = field(default_factory=list)
    arrays: dict[str, StoredArray] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    makers: dict[str, Node] = field(default_factory=dict)


def read_graph(source: Source) -> Graph:
    """Read the graph of a model.

    Raises:
        GatewiseError: for a damaged one.
    """
    found = Graph()
    for graph in message_of(source).all(7):
        _read(_message(graph), found, ChainMap())
    return found


def _read(graph: Message, found: Graph, outer: ChainMap[str, StoredArray]) -> None:
    arrays = outer.new_child()
    for value in graph.all(5):
        _keep(_message(value), "", found, arrays)
    for value in graph.all(1):
        _read_node(_message(value), found, arrays)


def _keep(tensor: Message, name: str, found: Graph, arrays: ChainMap[str, StoredArray]) -> None:
    """Read an array of the file and keep it under its name, or the one that it is given."""
    own, stored = _tensor(tensor)
    name = name or own
    if isinstance(stored, str):
        found.unread[name] = stored
    else:
        arrays[name] = found.arrays[name] = stored


def _read_node(message: Message, found: Graph, arrays: ChainMap[str, StoredArray]) -> None:
    texts: dict[int, list[str]] = {1: [], 2: [], 3: [], 4: [], 7: []}
    attributes: dict[str, Any] = {}
    graphs: list[Message] = []
    for number, value in message.fields():
        if number in texts:
            texts[number].append(_message(value).text())
        elif number == 5:
            name, content = _attribute(_message(value), graphs)
            attributes[name] = content
    kind, outputs = "".join(texts[4][:1]), tuple(texts[2])
    if kind == "Constant" and isinstance(attributes.get("value"), Message) and outputs:
        _keep(attributes["value"], outputs[0], found, arrays)
        return
    if kind == "Identity" and len(texts[1]) == 1 and outputs and texts[1][0] in arrays:
        arrays[outputs[0]] = arrays[texts[1][0]]
        return
    name = "".join(texts[3][:1]) or "".join(outputs[:1]) or kind
    node = Node(kind, "".join(texts[7][:1]), name, tuple(texts[1]), outputs, attributes, arrays)
    found.nodes.append(node)
    found.makers |= dict.fromkeys(outputs, node)
    for graph in graphs:
        _read(graph, found, arrays)


def _attribute(message: Message, graphs: list[Message]) -> tuple[str, Any]:
    """Give the name and the value of an attribute; graphs are put apart."""
    name = ""
    value: Any = None
    items: list[Any] = []
    for number, content in message.fields():
        if number == 1:
            name = _message(content).text()
        elif number == 2:
            value = as_float(_number(content))
        elif number == 3:
            value = signed(_number(content))
        elif number == 4:
            value = _message(content).text() if _message(content).end - _message(content).start < 1000 else ""
        elif number == 5:
            value = _message(content)
        elif number in (6, 11):
            graphs.append(_message(content))
        elif number in (7, 8, 9):
            items += _items(number, content)
    return name, value if value is not None else items


def _items(number: int, content: int | Message) -> list[Any]:
    if number == 9:
        return [_message(content).text()]
    if isinstance(content, Message):
        return content.floats() if number == 7 else [signed(each) for each in content.numbers()]
    return [as_float(content) if number == 7 else signed(content)]


def _tensor(message: Message) -> tuple[str, StoredArray | str]:
    """Give the name of an array, and the array or why it is not read."""
    shape: list[int] = []
    name, kind, external = "", 0, False
    data: dict[int, list[int | Message]] = {}
    for number, value in message.fields():
        if number == 1:
            shape += value.numbers() if isinstance(value, Message) else [value]
        elif number == 2:
            kind = _number(value)
        elif number == 8:
            name = _message(value).text()
        elif number in (13, 14):
            external = external or number == 13 or value == 1
        elif number in (4, 5, 6, 7, 9, 10, 11):
            data.setdefault(number, []).append(value)
    if external:
        return name, "its elements lie in another file, which is not followed: save the model as one file"
    if kind not in _DTYPES or kind == _TEXT:
        return name, f"its data type {kind} is not read"
    return name, _elements(message, tuple(shape), kind, data)


def _elements(
    message: Message, shape: tuple[int, ...], kind: int, data: Mapping[int, list[int | Message]]
) -> StoredArray | str:
    source = message.bytes.source
    check_shape(source.name, shape)
    empty = math.prod(shape) == 0
    places = [(number, value) for number, values in data.items() for value in values if isinstance(value, Message)]
    if not empty and (len(places) != 1 or (places[0][0] != 9 and _PACKED.get(places[0][0]) != kind)):
        return "its elements are stored otherwise than raw or packed"
    place = places[0][1] if places else message
    array = plain(source, shape, f"<{_DTYPES[kind]}", place.start)
    if not empty and place.end - place.start != array.nbytes:
        raise damaged(source.name, f"has {place.end - place.start} bytes for an array of shape {shape}")
    return widened(array, "bfloat16") if kind == _BFLOAT16 else array


def _message(value: int | Message) -> Message:
    if isinstance(value, Message):
        return value
    raise damaged("the model", f"has the number {value} where a message is due")


def _number(value: int | Message) -> int:
    if isinstance(value, Message):
        raise damaged(value.bytes.source.name, "has a message where a number is due")
    return value
