"""ONNX models: the nodes LSTM, GRU and RNN with the weights that the file stores, and its other arrays by name.

Source: https://onnx.ai/onnx/operators/onnx__{LSTM,GRU,RNN}.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from frameworks.files.given_options import Answers
from frameworks.files.keras.config import Config
from frameworks.files.onnx.graph import Graph, Node, read_graph
from frameworks.files.onnx.recurrent import INPUTS, KINDS, read_node
from frameworks.files.other_layers import NotUnderstoodError, OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.torch.modules import read_modules
from frameworks.files.untrusted.source import Source, StoredArray

Layer = StoredLayer | OtherLayer
_WRITTEN_OUT = dict.fromkeys(
    ("Loop", "Scan"), "it repeats plain operators; a recurrent layer that is written out so is not recognised as one."
)


def recognises(source: Source) -> bool:
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
    graph = read_graph(source)
    layers: list[Layer] = []
    used: set[StoredArray] = set()
    for node in graph.nodes:
        if _is_recurrent(node):
            layer, parts = _read(node, graph, answers)
            layers.append(layer)
            used |= parts
        elif node.kind in _WRITTEN_OUT:
            layers.append(OtherLayer(node.name, node.kind, known=False, warnings=(_WRITTEN_OUT[node.kind],)))
    others = {name: array for name, array in graph.arrays.items() if array not in used and _is_weight(array)}
    return [*layers, *_others(graph, others, answers)]


def _is_weight(array: StoredArray) -> bool:
    """Tell an array of weights from the numbers that a graph reckons with."""
    return len(array.shape) > 1 or (len(array.shape) == 1 and array.dtype.kind == "f")


def _is_recurrent(node: Node) -> bool:
    """Tell a recurrent operator: ONNX's own, or one that others named after them."""
    return any(kind in node.kind for kind in KINDS)


def _read(node: Node, graph: Graph, answers: Answers) -> tuple[Layer, set[StoredArray]]:
    """Read a recurrent node, and give the arrays that are its weights."""
    try:
        return read_node(node, graph, answers)
    except NotUnderstoodError as why:
        arrays = node.scope.arrays
        own = {name: arrays[each] for name, each in zip(INPUTS, node.inputs, strict=False) if each in arrays}
        return OtherLayer(node.name, node.kind, own, warnings=(why.warning,)), set(own.values())


def _others(graph: Graph, arrays: dict[str, StoredArray], answers: Answers) -> Iterator[Layer]:
    """Give what else is stored; of what the graph does with it, the names and shapes tell nothing for certain."""
    for layer in read_modules(arrays, answers):
        if isinstance(layer, OtherLayer):
            yield replace(layer, known=False)
        else:
            how = "the graph runs it by operators of its own, and may do otherwise than torch's module of these names."
            yield replace(layer, warnings=(how, *layer.warnings))
    for name, why in graph.unread.items():
        yield OtherLayer(name, warnings=(f"{why}.",))
