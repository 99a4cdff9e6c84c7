"""ONNX models: the nodes LSTM, GRU and RNN with their weights, and the other arrays by name.

Source: https://onnx.ai/onnx/operators/onnx__{LSTM,GRU,RNN}.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from frameworks.files.given_options import GivenOptions
from frameworks.files.onnx.graph import Graph, Node, read_graph
from frameworks.files.onnx.recurrent import INPUTS, KINDS, read_node
from frameworks.files.other_layers import NotUnderstoodError, OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.torch.modules import read_modules
from frameworks.files.untrusted.source import Source, StoredArray

Layer = StoredLayer | OtherLayer
_WRITTEN_OUT = dict.fromkeys(
    ("Loop", "Scan"), "this is a loop over basic operators; if it implements a recurrent layer, gatewise does not recognise it."
)


def read(source: Source, given: GivenOptions) -> list[Layer]:
    """Read a model.

    Args:
        source: the file.
        given: the user's options.

    Raises:
        GatewiseError: for a damaged file.
    """
    graph = read_graph(source)
    layers: list[Layer] = []
    used: set[StoredArray] = set()
    for node in graph.nodes:
        if _is_recurrent(node):
            layer, parts = _read(node, graph)
            layers.append(layer)
            used |= parts
        elif node.kind in _WRITTEN_OUT:
            layers.append(OtherLayer(node.name, node.kind, known=False, warnings=(_WRITTEN_OUT[node.kind],)))
    others = {name: array for name, array in graph.arrays.items() if array not in used and _is_weight(array)}
    return [*layers, *_others(graph, others, given)]


def _is_weight(array: StoredArray) -> bool:
    """Return whether an array may hold weights, rather than shapes or indices for the graph's operators."""
    return len(array.shape) > 1 or (len(array.shape) == 1 and array.dtype.kind == "f")


def _is_recurrent(node: Node) -> bool:
    """Return whether an operator is recurrent: ONNX's LSTM, GRU or RNN, or a custom one whose name contains one of these."""
    return any(kind in node.kind for kind in KINDS)


def _read(node: Node, graph: Graph) -> tuple[Layer, set[StoredArray]]:
    """Read a recurrent node; return its layer and the arrays that hold its weights."""
    try:
        return read_node(node, graph)
    except NotUnderstoodError as why:
        arrays = node.scope.arrays
        own = {name: arrays[each] for name, each in zip(INPUTS, node.inputs, strict=False) if each in arrays}
        return OtherLayer(node.name, node.kind, own, warnings=(why.warning,)), set(own.values())


def _others(graph: Graph, arrays: dict[str, StoredArray], given: GivenOptions) -> Iterator[Layer]:
    """Yield the other arrays as layers. Their names and shapes do not show for certain how the graph uses them."""
    for layer in read_modules(arrays, given):
        if isinstance(layer, OtherLayer):
            yield replace(layer, known=False)
        else:
            how = "the graph computes it with individual operators, which may differ from the torch module of these names."
            yield replace(layer, warnings=(how, *layer.warnings))
    for name, why in graph.unread.items():
        yield OtherLayer(name, warnings=(f"{why}.",))
