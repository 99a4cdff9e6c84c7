"""ONNX models: the nodes LSTM, GRU and RNN with the weights that the file stores, and its other arrays by name.

Source: https://onnx.ai/onnx/operators/onnx__{LSTM,GRU,RNN}.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from frameworks.files.answers import Answers
from frameworks.files.keras_config import Config
from frameworks.files.onnx_graph import Graph, Node, read_graph
from frameworks.files.onnx_recurrent import INPUTS, KINDS, QUANTISED, read_node
from frameworks.files.protobuf import message_of
from frameworks.files.source import Source, StoredArray
from frameworks.files.stored import OtherLayer, StoredLayer
from frameworks.files.torch_modules import read_modules
from frameworks.files.torch_recurrent import NotUnderstoodError

Layer = StoredLayer | OtherLayer


def is_onnx(source: Source) -> bool:
    """Tell whether a file begins as models do: with the version of the format, then a name, a version or the graph."""
    head = source.head(3)
    return len(head) == 3 and head[0] == 0x08 and 0 < head[1] < 0x40 and head[2] in (0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42)


def read(source: Source, architecture: Config | None, answers: Answers) -> list[Layer]:  # noqa: ARG001
    """Read a model.

    Args:
        source: the file.
        architecture: Keras has one, ONNX none.
        answers: what the user says of the layers.

    Raises:
        GatewiseError: for a damaged file.
    """
    graph = read_graph(message_of(source))
    layers: list[Layer] = [_read(node, graph, answers) for node in graph.nodes if _is_recurrent(node)]
    read_as_parts = {name for node in graph.nodes if _is_recurrent(node) for name in node.inputs}
    beside = {name: array for name, array in graph.arrays.items() if name not in read_as_parts}
    return [*layers, *_beside(graph, beside, answers)]


def _is_recurrent(node: Node) -> bool:
    return (node.kind in KINDS and node.domain in ("", "ai.onnx")) or node.kind == QUANTISED


def _read(node: Node, graph: Graph, answers: Answers) -> Layer:
    try:
        return read_node(node, graph, answers)
    except NotUnderstoodError as why:
        names = {name: INPUTS[place] for place, name in enumerate(node.inputs[:8]) if name in node.arrays and place}
        stored = {own: node.arrays[name] for name, own in names.items()}
        return OtherLayer(node.name, node.kind, stored, warnings=(f"it is not read as a recurrent layer: {why}.",))


def _beside(graph: Graph, arrays: dict[str, StoredArray], answers: Answers) -> Iterator[Layer]:
    """Give what else is stored; of what the graph does with it, the names and shapes tell nothing for certain."""
    for layer in read_modules(arrays, answers):
        if isinstance(layer, OtherLayer):
            yield replace(layer, known=False)
        else:
            how = "the graph runs it by operators of its own, and may do otherwise than torch's module of these names."
            yield replace(layer, warnings=(how, *layer.warnings))
    for name, why in graph.unread.items():
        yield OtherLayer(name, warnings=(f"{why}.",))
