"""Reading a recurrent node of an ONNX graph."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from frameworks.cells import CELLS, CellName, cells_by_name
from frameworks.files.onnx.activations import read_activations
from frameworks.files.onnx.folding import NotConstantError, fold, zeros
from frameworks.files.onnx.graph import Graph, Node
from frameworks.files.onnx.names import module_of
from frameworks.files.other_layers import NotUnderstoodError
from frameworks.files.stored import StoredCell, StoredLayer
from frameworks.files.untrusted.derived_arrays import derived, first_axis, halves_of, in_single, reshaped
from frameworks.files.untrusted.source import Array, StoredArray
from frameworks.layouts import ONNX
from frameworks.options import BACKWARDS
from frameworks.spec import RecurrentSpec

KINDS: Mapping[str, CellName] = MappingProxyType(cells_by_name("onnx"))
QUANTISED = "DynamicQuantizeLSTM"
INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
_DIRECTIONS: Mapping[Any, int] = {"forward": 1, "reverse": 1, "bidirectional": 2}
_UNSUPPORTED: Mapping[str, str] = {"clip": "it clips the inputs of its activations", "input_forget": "it couples two gates"}


@dataclass(frozen=True)
class Read:
    """A recurrent node that was read.

    Args:
        node: the node.
        layer: its layer.
        weights: the arrays that hold its weights, by name.
        zeros: the arrays that only hold zeros for its states, by name.
    """

    node: Node
    layer: StoredLayer
    weights: Mapping[str, StoredArray]
    zeros: Mapping[str, StoredArray]


def read_node(node: Node, graph: Graph) -> Read:
    """Read a node.

    Raises:
        NotUnderstoodError: for a node that no layer of either framework computes, or whose weights are not in the file.
    """
    _require_supported(node)
    cell = KINDS[node.kind]
    arrays: dict[str, StoredArray] = {}
    used: dict[str, StoredArray] = {}
    for name in ("W", "R", "B"):
        if _input(node, name):
            arrays[name], parts = _array(node, graph, name)
            used |= parts
    of_zeros = {name: zeros(_input(node, name), node.scope) for name in INPUTS[5:] if _input(node, name)}
    if of_zeros.get("P", {}) is None:
        raise NotUnderstoodError("it has peepholes, which no layer of either framework has")
    spec = _spec(node, cell, arrays)
    specs = [replace(spec, **chosen) for chosen in read_activations(node, cell, _ways(node))]
    columns = tuple(StoredCell(one, ONNX, MappingProxyType(_cell(arrays, one, way))) for way, one in enumerate(specs))
    layer = StoredLayer(
        name=node.name,
        origin="pytorch",
        class_name=node.kind,
        cells=(columns,),
        options=BACKWARDS if node.attributes.get("direction") == "reverse" else None,
        warnings=tuple(_warnings(node, arrays, [name for name, parts in of_zeros.items() if parts is None])),
        arguments=MappingProxyType({"batch_first": node.attributes.get("layout") == 1}),
    )
    return Read(node, layer, used, ChainMap(*(parts or {} for parts in of_zeros.values())))


def _ways(node: Node) -> int:
    return _DIRECTIONS[node.attributes.get("direction", "forward")]


def _require_supported(node: Node) -> None:
    attributes = node.attributes
    if node.kind == QUANTISED:
        raise NotUnderstoodError(
            "its weights are integers, and its inputs are rounded at each call: open the model from before it was quantised"
        )
    if node.kind not in KINDS or not node.is_standard:
        raise NotUnderstoodError(f"{node.kind} is not an operator of ONNX itself, but of {node.domain or 'the model'!r}")
    if attributes.get("direction", "forward") not in tuple(_DIRECTIONS):  # a list cannot be hashed
        raise NotUnderstoodError(f"its direction is {str(attributes['direction'])[:100]!r}, not {' or '.join(_DIRECTIONS)}")
    for name, effect in _UNSUPPORTED.items():
        if attributes.get(name):
            raise NotUnderstoodError(f"{name}={attributes[name]}: {effect}, which no layer of either framework does")


def _input(node: Node, name: str) -> str:
    place = INPUTS.index(name)
    return node.inputs[place] if place < len(node.inputs) else ""


def _array(node: Node, graph: Graph, name: str) -> tuple[StoredArray, dict[str, StoredArray]]:
    """Return a weight, and the arrays of the file from which it is computed, by name."""
    given, arrays = _input(node, name), node.scope.arrays
    if given in graph.unread and given not in arrays:
        raise NotUnderstoodError(f"its {name}: {graph.unread[given]}")
    try:
        array, used = (arrays[given], {given: arrays[given]}) if given in arrays else fold(given, graph, node.scope)
    except NotConstantError as maker:
        how = f"computed in the graph, by {maker}" if str(maker) else "not computed in the graph, but passed to it from outside"
        raise NotUnderstoodError(f"its {name} is {how}: export the model with its constants folded") from maker
    return in_single(array), used


def _spec(node: Node, cell: CellName, arrays: Mapping[str, StoredArray]) -> RecurrentSpec:
    """Read the sizes from the weights of both directions, and check all weights."""
    dtypes = {array.dtype.name for array in arrays.values()}
    shapes = {name: array.shape for name, array in arrays.items()}
    if not {"W", "R"} <= shapes.keys() or any(len(shapes[name]) != 3 or 0 in shapes[name] for name in ("W", "R")):
        raise NotUnderstoodError(f"its weights are {shapes}")
    if len(dtypes) > 1 or not dtypes <= {"float32", "float64"}:
        raise NotUnderstoodError(f"its weights are {' and '.join(sorted(dtypes))}; float32 or float64 was expected")
    reads, hidden = shapes["W"][2], shapes["R"][2]
    after = "reset_after" not in CELLS[cell].options or bool(node.attributes.get("linear_before_reset", 0))
    dtype: Any = dtypes.pop()
    spec = RecurrentSpec(cell, reads, hidden, bias="B" in arrays, dtype=dtype, reset_after=after)
    ways, rows = _ways(node), len(spec.gates) * hidden
    wanted = {"W": (ways, rows, reads), "R": (ways, rows, hidden), "B": (ways, 2 * rows)}
    wrong = [f"its {name} has shape {shapes[name]}, not {wanted[name]}" for name in shapes if shapes[name] != wanted[name]]
    if wrong:
        raise NotUnderstoodError("; ".join(wrong))
    if node.attributes.get("hidden_size", hidden) != hidden:
        raise NotUnderstoodError(f"hidden_size={node.attributes['hidden_size']}, but its weights are {shapes}")
    return spec


def _cell(arrays: Mapping[str, StoredArray], spec: RecurrentSpec, way: int) -> dict[str, StoredArray]:
    """Return the arrays of one direction."""
    own = {name: reshaped(first_axis(array, way, way + 1), array.shape[1:]) for name, array in arrays.items()}
    if "B" in own and not spec.reset_after:
        own["B"] = _sum_of_halves(own["B"])
    return own


def _sum_of_halves(biases: StoredArray) -> StoredArray:
    """Return the sum of the two biases of a GRU that resets before the product, where both have the same effect."""
    count = biases.shape[0] // 2

    def fetch(first: int, size: int) -> Array:
        one, other = biases.read().reshape(2, count)[:, first : first + size]
        with np.errstate(invalid="ignore", over="ignore"):
            total: Array = np.where(other == 0, one, one + other)
        return total

    return derived((count,), biases.dtype.newbyteorder("="), fetch)


def _is_reversed(node: Node) -> bool:
    """Return whether the graph reverses the input, as tf2onnx does for go_backwards."""
    maker, met = node.maker(_input(node, "X")), set()
    while maker is not None and maker.kind in ("Transpose", "Identity", "Cast") and maker.inputs and id(maker) not in met:
        met.add(id(maker))
        maker = maker.maker(maker.inputs[0])
    return maker is not None and maker.kind == "ReverseSequence"


def _origin(name: str, node: Node) -> str:
    """Describe where an input comes from, in the same words for many nodes."""
    if name in node.scope.arrays:
        return f"{name}, which is stored in the file"
    return "computed in the graph" if node.maker(name) else name


def _warnings(node: Node, arrays: Mapping[str, StoredArray], states: list[str]) -> Iterator[str]:
    """Yield the caveats of a node.

    Args:
        node: the node.
        arrays: its weights.
        states: its inputs for initial states that are not zero.
    """
    if states:
        origins = " and ".join(f"{name} ({_origin(_input(node, name), node)})" for name in states)
        yield f"the graph passes it initial states, {origins}. Pass them to the layer, or it starts from zeros."
    if _is_reversed(node):
        yield "the graph reverses its input first: flip the time steps of its input and output as the graph does."
    if _input(node, "sequence_lens"):
        origin = _origin(_input(node, "sequence_lens"), node)
        yield f"the graph passes it the lengths of the sequences ({origin}): pack or mask them."
    for half in halves_of(arrays.values()):
        yield f"its weights are {half}; they are returned in float32, which holds them exactly."
    if module_of(node) is not None:  # the module's output has the axes of torch, and so has the layer's
        return
    axes = "batch, time, direction, hidden" if node.attributes.get("layout") == 1 else "time, direction, batch, hidden"
    yield f"its output in the graph has the axes ({axes}); that of the layer joins the directions along the last axis."
