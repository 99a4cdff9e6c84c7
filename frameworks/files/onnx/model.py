"""ONNX models: the nodes LSTM, GRU and RNN with their weights, and the other layers by their operators.

Source: https://onnx.ai/onnx/operators/onnx__{LSTM,GRU,RNN}.html.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from frameworks.files.given_options import GivenOptions
from frameworks.files.onnx.graph import Graph, Node, read_graph
from frameworks.files.onnx.modules import join
from frameworks.files.onnx.names import split
from frameworks.files.onnx.operators import constant
from frameworks.files.onnx.other_layers import OtherLayers
from frameworks.files.onnx.recurrent import INPUTS, KINDS, Read, read_node
from frameworks.files.onnx.written_cells import computes, is_used, nonlinearities
from frameworks.files.onnx.written_out import find_written_out, stated_modules
from frameworks.files.other_layers import NotUnderstoodError, OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.torch.modules import read_modules
from frameworks.files.untrusted.source import Source, StoredArray, in_memory

Layer = StoredLayer | OtherLayer
_CELL_ARRAY = re.compile(r"(?:.+[._/])?(?:w|weight|b|bias)_(?:ih|hh)(?:_l\d+(?:_reverse)?)?")
"""Names that torch's recurrent modules have for their arrays, or a user's cells."""
_WEIGHT = re.compile(r"((?:.+\.)?)weight_((?:ih|hh)(?:_l\d+(?:_reverse)?)?)")


def read(source: Source, given: GivenOptions) -> list[Layer]:
    """Read a model.

    Args:
        source: the file.
        given: the user's options.

    Raises:
        GatewiseError: for a damaged file.
    """
    graph = read_graph(source)
    layers: dict[int, Layer] = {}
    used: dict[str, StoredArray] = {}
    reads: list[Read] = []
    for node in graph.nodes:
        if _is_recurrent(node):
            one = _read(node, graph)
            if isinstance(one, Read):
                reads.append(one)
                used |= {**one.weights, **one.zeros}
            else:
                layers[id(node)] = one
                used |= {name: node.scope.arrays[name] for name in node.inputs if name in node.scope.arrays}
    layers |= {id(node): layer for node, layer in join(reads)}
    recurrent = [layers[id(node)] for node in graph.nodes if id(node) in layers]
    cells, arrays = _cells(graph, used, given)
    used |= arrays
    written, arrays = find_written_out(graph, used)
    used |= arrays
    unread = [OtherLayer(name, warnings=(f"{why}.",)) for name, why in graph.unread.items()]
    return [*recurrent, *cells, *written, *OtherLayers(graph, used).read(), *unread]


def _is_recurrent(node: Node) -> bool:
    """Return whether an operator is recurrent: ONNX's LSTM, GRU or RNN, or a custom one whose name contains one of these."""
    return any(kind in node.kind for kind in KINDS)


def _read(node: Node, graph: Graph) -> Read | OtherLayer:
    """Read a recurrent node; return a layer with the reason if it is not understood."""
    try:
        return read_node(node, graph)
    except NotUnderstoodError as why:
        arrays = node.scope.arrays
        names = (*INPUTS, *node.inputs[len(INPUTS) :])
        own = {name: arrays[each] for name, each in zip(names, node.inputs, strict=False) if each in arrays}
        return OtherLayer(node.name, node.kind, own, warnings=(why.warning,))


def _cells(graph: Graph, used: dict[str, StoredArray], given: GivenOptions) -> tuple[list[Layer], dict[str, StoredArray]]:
    """Return the cells that the graph computes with individual operators, but whose arrays have torch's names."""
    arrays = {name: array for name, array in graph.arrays.items() if name not in used and _CELL_ARRAY.fullmatch(name)}
    _add_biases(arrays, graph)
    # Of a module that the file states to be recurrent, the exporter has computed what is missing here.
    stated = stated_modules(graph)
    activations = nonlinearities(graph, {split(name)[0] for name in arrays})
    layers = [_cell(layer, graph, given) for layer in read_modules(arrays, given, activations)]
    layers = [layer for layer in layers if isinstance(layer, StoredLayer) or layer.name not in stated]
    owners = {layer.name for layer in layers}
    return layers, {name: array for name, array in arrays.items() if split(name)[0] in owners}


def _add_biases(arrays: dict[str, StoredArray], graph: Graph) -> None:
    """Add the biases that an exporter stores under the name of an equal one, or leaves out because they are zero."""
    products: dict[str, str] = {}
    for node in graph.nodes:
        weight = constant(node.inputs[1], node) if node.kind == "Gemm" and len(node.inputs) > 1 else None
        if weight is None or not (match := _WEIGHT.fullmatch(weight.name)) or weight.name not in arrays:
            continue
        products[weight.name] = f"{match[1]}bias_{match[2]}"
        bias = constant(node.inputs[2], node) if len(node.inputs) > 2 else None
        if bias is not None:
            arrays.setdefault(products[weight.name], bias.source)
    for weight_name, bias_name in products.items():
        swapped = bias_name.replace("bias_ih", "bias_HH").replace("bias_hh", "bias_ih").replace("bias_HH", "bias_hh")
        if bias_name not in arrays and swapped in arrays:
            arrays[bias_name] = in_memory(np.zeros(arrays[weight_name].shape[:1], arrays[weight_name].dtype))


def _cell(layer: Layer, graph: Graph, given: GivenOptions) -> Layer:
    """Return a cell as it was read; as an other layer if the graph computes something else with its arrays."""
    if isinstance(layer, OtherLayer):
        return layer
    cell = layer.cells[0][0]
    if not is_used(graph, layer.name):
        how = "no operator of the graph uses its weights, whose names are those of a torch module."
        return replace(layer, warnings=(how, *layer.warnings))
    form = cell.spec.cell if cell.spec.record.gated else cell.spec.activation
    if computes(graph, layer.name, form) or "cell" in given.of(layer.name):
        return layer
    kind = cell.spec.cell
    why = NotUnderstoodError(
        f"the graph computes it with individual operators, and they are not those of torch's {layer.class_name}. If they"
        f" compute the same, the option cell={kind} states it (--option {layer.name}.cell={kind})",
        options=("cell",),
    )
    return OtherLayer(layer.name, "", cell.arrays, warnings=(why.warning,), options=why.options)
