"""An ONNX file's graphs: nodes, attributes and constant tensors, read from the protobuf encoding where they lie.

Sources: https://protobuf.dev/programming-guides/encoding/; onnx/onnx.proto of https://github.com/onnx/onnx, field numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from frameworks.files.source import Source, StoredArray, damaged

MAX_FIELDS, MAX_DEPTH, MAX_TEXT = 2_000_000, 16, 4096

_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5
_WIDTHS = {_DOUBLE: 8, _FLOAT: 4}
_DTYPES: Mapping[int, str] = {
    1: "<f4",
    2: "|u1",
    3: "|i1",
    4: "<u2",
    5: "<i2",
    6: "<i4",
    7: "<i8",
    9: "?",
    10: "<f2",
    11: "<f8",
}
_PACKED: Mapping[int, str] = {4: "<f4", 10: "<f8"}
"""Fields of a tensor whose numbers lie packed as they are."""


@dataclass
class Node:
    """A node: what it computes, of which values, under which attributes; the graphs within it come after it."""

    name: str = ""
    kind: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Graph:
    """All nodes of a file and of the graphs within, in order, and its constant tensors by name."""

    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, StoredArray] = field(default_factory=dict)
    odd: dict[str, str] = field(default_factory=dict)


def is_onnx(source: Source) -> bool:
    """Tell whether a file is a message with a version first and a graph in it, to its last byte."""
    if source.head(1) != b"\x08":
        return False
    try:
        numbers = [number for number, *_ in _Reader(1000).fields(source)]
    except (ValueError, struct.error):  # GatewiseErrors of damage are ValueErrors
        return False
    return numbers[0] == 1 and 7 in numbers


def read_graph(source: Source) -> Graph:
    """Read the graph of a file.

    Raises:
        GatewiseError: for a damaged file.
    """
    reader, graph = _Reader(MAX_FIELDS), Graph()
    for number, wire, value in reader.fields(source):
        if number == 7 and wire == _BYTES:
            reader.graph(value, graph, 0)
    return graph


class _Reader:
    """Reads messages, and counts their fields."""

    def __init__(self, most: int) -> None:
        self.left = most

    def fields(self, source: Source) -> Iterator[tuple[int, int, Any]]:
        """Yield number, wire type and value of each field: an int, bytes of a fixed width, or the part of the file."""
        at = 0
        while at < source.size:
            self.left -= 1
            if self.left < 0:
                raise damaged(source.name, "has more fields than a model has")
            head = source.read(at, min(20, source.size - at))
            tag, used = _varint(head, 0, source.name)
            wire = tag & 7
            if wire == _VARINT:
                value, used = _varint(head, used, source.name)
                yield tag >> 3, wire, value - (value >> 63 << 64)
            elif wire == _BYTES:
                size, used = _varint(head, used, source.name)
                yield tag >> 3, wire, source.part(at + used, size)
                used += size
            elif wire in _WIDTHS:
                yield tag >> 3, wire, source.read(at + used, _WIDTHS[wire])
                used += _WIDTHS[wire]
            else:
                raise damaged(source.name, f"has a field of the wire type {wire}")
            at += used

    def graph(self, source: Source, graph: Graph, depth: int) -> None:
        """Add what a graph holds, and the graphs within it."""
        if depth > MAX_DEPTH:
            raise damaged(source.name, f"nests graphs more than {MAX_DEPTH} deep")
        for number, wire, value in self.fields(source):
            if number == 1 and wire == _BYTES:
                self.node(value, graph, depth)
            elif number == 5 and wire == _BYTES:
                self.tensor(value, graph, "")

    def node(self, source: Source, graph: Graph, depth: int) -> None:
        """Add a node."""
        node, within = Node(), []
        for number, wire, value in self.fields(source):
            if wire == _BYTES and number in (1, 2):
                (node.inputs if number == 1 else node.outputs).append(_text(value))
            elif wire == _BYTES and number == 3:
                node.name = _text(value)
            elif wire == _BYTES and number == 4:
                node.kind = _text(value)
            elif wire == _BYTES and number == 5:
                within += self.attribute(value, node)
        if node.kind == "Constant" and node.outputs and isinstance(node.attributes.get("value"), Source):
            self.tensor(node.attributes["value"], graph, node.outputs[0])
        else:
            graph.nodes.append(node)
        for part in within:
            self.graph(part, graph, depth + 1)

    def attribute(self, source: Source, node: Node) -> list[Source]:
        """Add an attribute, but graphs, which are given back."""
        name, single = "", None
        several: list[Any] = []
        graphs: list[Source] = []
        for number, wire, value in self.fields(source):
            if wire == _BYTES and number == 1:
                name = _text(value)
            elif wire == _FLOAT and number in (2, 7):
                (found,) = struct.unpack("<f", value)
                single, several = found, [*several, found]
            elif wire == _VARINT and number == 3:
                single = value
            elif wire == _BYTES and number == 4:
                single = _text(value)
            elif wire == _BYTES and number == 5:
                single = value
            elif wire == _BYTES and number in (6, 11):
                graphs.append(value)
            elif wire == _BYTES and number == 7:
                several += (
                    struct.unpack(f"<{value.size // 4}f", value.head(value.size // 4 * 4)) if value.size <= MAX_TEXT else []
                )
            elif wire == _BYTES and number == 9 and len(several) < MAX_TEXT:
                several.append(_text(value))
        node.attributes[name] = several if several and not (len(several) == 1 and single is not None) else single
        return graphs

    def tensor(self, source: Source, graph: Graph, name: str) -> None:
        """Add a constant tensor, under the name that it gives itself unless there is another."""
        shape: list[int] = []
        kind, elements, external = 0, None, False
        for number, wire, value in self.fields(source):
            if number == 1 and wire in (_VARINT, _BYTES):
                shape += [value] if wire == _VARINT else self.varints(value)
            elif number == 2 and wire == _VARINT:
                kind = value
            elif number == 8 and wire == _BYTES:
                name = name or _text(value)
            elif number == 9 and wire == _BYTES:
                elements = (value, _DTYPES.get(kind))
            elif number in _PACKED and wire == _BYTES:
                elements = (value, _PACKED[number])
            external = external or number in (13, 14)
        graph.odd[name] = "an array in another file, which is not followed" if external else f"an array of the type {kind}"
        if elements is not None and elements[1] is not None and not external:
            if any(size < 0 for size in shape):
                raise damaged(source.name, f"has an array {name} of shape {tuple(shape)}")
            graph.tensors[name] = elements[0].array(tuple(shape), elements[1], 0)
            del graph.odd[name]

    def varints(self, source: Source) -> list[int]:
        """Read packed whole numbers, as many as a shape can have."""
        data, at = source.head(640), 0
        found: list[int] = []
        while at < len(data) and len(found) < 64:
            value, at = _varint(data, at, source.name)
            found.append(value - (value >> 63 << 64))
        return found


def _varint(data: bytes, at: int, name: str) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, at
    raise damaged(name, "has a number without an end")


def _text(source: Source) -> str:
    return source.head(MAX_TEXT).decode("utf-8", "replace")
