"""From a recurrent node of an ONNX graph to what it computes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from frameworks.files.answers import Answers
from frameworks.files.onnx_folding import NotConstantError, fold
from frameworks.files.onnx_graph import Graph, Node
from frameworks.files.source import Array, StoredArray
from frameworks.files.stored import StoredCell, StoredLayer
from frameworks.files.torch_recurrent import NotUnderstoodError, require_options
from frameworks.files.views import derived, first_axis, reshaped, widened
from frameworks.layouts import ONNX
from frameworks.spec import CellName, RecurrentSpec

KINDS: Mapping[str, CellName] = MappingProxyType({"LSTM": "lstm", "GRU": "gru", "RNN": "rnn"})
QUANTISED = "DynamicQuantizeLSTM"
INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
_DEFAULTS: Mapping[CellName, tuple[str, ...]] = {
    "lstm": ("Sigmoid", "Tanh", "Tanh"),
    "gru": ("Sigmoid", "Tanh"),
    "rnn": ("Tanh",),
}
_ACTIVATIONS: Mapping[tuple[str, float | None, float | None], str] = MappingProxyType(
    {
        ("relu", None, None): "relu",
        ("tanh", None, None): "tanh",
        ("sigmoid", None, None): "sigmoid",
        ("softsign", None, None): "softsign",
        ("softplus", None, None): "softplus",
        ("affine", 1.0, 0.0): "linear",
        ("leakyrelu", 0.2, None): "leaky_relu",
        ("elu", 1.0, None): "elu",
        ("hardsigmoid", 0.2, 0.5): "keras2_hard_sigmoid",
        ("hardsigmoid", 0.1667, 0.5): "hard_sigmoid",
    }
)
"""By name, alpha and beta as ONNX has them, to four digits."""
_PARAMETERS: Mapping[str, tuple[float | None, float | None]] = {
    "affine": (1.0, 0.0),
    "leakyrelu": (0.01, None),
    "thresholdedrelu": (1.0, None),
    "scaledtanh": (1.0, 1.0),
    "hardsigmoid": (0.2, 0.5),
    "elu": (1.0, None),
}
"""The alpha and beta that an activation has unless the node says others; None for one that it has not."""


def read_node(node: Node, graph: Graph, answers: Answers) -> tuple[StoredLayer, set[str]]:
    """Read a node, and give the names of the arrays that are its weights.

    Raises:
        NotUnderstoodError: for what no layer of either framework computes, or weights that are not in the file.
    """
    _require_plain(node)
    cell = KINDS[node.kind]
    arrays: dict[str, StoredArray] = {}
    used: set[str] = set()
    for name in ("W", "R", "B"):
        if _input(node, name):
            arrays[name], parts = _array(node, graph, name)
            used |= parts
    spec = _spec(node, cell, arrays)
    ways = 2 if node.attributes.get("direction") == "bidirectional" else 1
    activations = _activations(node, cell, ways)
    specs = [replace(spec, **chosen) for chosen in activations]
    require_options(answers, node.name, ())
    columns = tuple(StoredCell(one, ONNX, MappingProxyType(_cell(arrays, one, way))) for way, one in enumerate(specs))
    layer = StoredLayer(
        name=node.name,
        origin="pytorch",
        class_name=node.kind,
        cells=(columns,),
        warnings=tuple(_warnings(node)),
        arguments=MappingProxyType({"batch_first": node.attributes.get("layout") == 1}),
    )
    return layer, used


def _require_plain(node: Node) -> None:
    said = node.attributes
    if node.kind == QUANTISED:
        raise NotUnderstoodError("its weights are whole numbers: use the model from before it was quantised")
    if said.get("direction", "forward") not in ("forward", "bidirectional"):
        raise NotUnderstoodError(f"direction={said['direction']!r}: no module of torch's reads from the end alone")
    for name, remedy in (("clip", "it clips what goes into its activations"), ("input_forget", "it couples two gates")):
        if said.get(name):
            raise NotUnderstoodError(f"{name}={said[name]}: {remedy}, which no layer of either framework does")
    peepholes = _input(node, "P")
    if peepholes:
        stored = node.arrays.get(peepholes)
        if stored is None or stored.nbytes > 1 << 24 or np.any(stored.read()):
            raise NotUnderstoodError("it has peepholes, which no layer of either framework has")


def _input(node: Node, name: str) -> str:
    place = INPUTS.index(name)
    return node.inputs[place] if place < len(node.inputs) else ""


def _array(node: Node, graph: Graph, name: str) -> tuple[StoredArray, set[str]]:
    """Give a weight, and the names of the arrays of the file that it is made of."""
    given = _input(node, name)
    if given in graph.unread:
        raise NotUnderstoodError(f"its {name}: {graph.unread[given]}")
    try:
        array, used = (node.arrays[given], {given}) if given in node.arrays else fold(given, graph, node)
    except NotConstantError as maker:
        how = f"computed in the graph, by {maker}" if str(maker) else "not computed in the graph, but given to it from outside"
        raise NotUnderstoodError(f"its {name} is {how}: export the model with its constants folded") from maker
    return (widened(array, "float16") if array.dtype.name == "float16" else array), used


def _spec(node: Node, cell: CellName, arrays: Mapping[str, StoredArray]) -> RecurrentSpec:
    """Read the sizes off the weights of both directions, and hold all against them."""
    dtypes = {array.dtype.name for array in arrays.values()}
    shapes = {name: array.shape for name, array in arrays.items()}
    if not {"W", "R"} <= shapes.keys() or any(len(shapes[name]) != 3 or 0 in shapes[name] for name in ("W", "R")):
        raise NotUnderstoodError(f"its weights are {shapes}")
    if len(dtypes) > 1 or not dtypes <= {"float32", "float64"}:
        raise NotUnderstoodError(f"its weights are {' and '.join(sorted(dtypes))}; float32 or float64 were due")
    ways = 1 + (node.attributes.get("direction") == "bidirectional")
    reads, hidden = shapes["W"][2], shapes["R"][2]
    after = cell != "gru" or bool(node.attributes.get("linear_before_reset", 0))
    dtype: Any = dtypes.pop()
    spec = RecurrentSpec(cell, reads, hidden, bias="B" in arrays, dtype=dtype, reset_after=after)
    rows = len(spec.gates) * hidden
    wanted = {"W": (ways, rows, reads), "R": (ways, rows, hidden), "B": (ways, 2 * rows)}
    wrong = [f"its {name} has shape {shapes[name]}, not {wanted[name]}" for name in shapes if shapes[name] != wanted[name]]
    if wrong:
        raise NotUnderstoodError("; ".join(wrong))
    if node.attributes.get("hidden_size", hidden) != hidden:
        raise NotUnderstoodError(f"hidden_size={node.attributes['hidden_size']}, and its weights are {shapes}")
    return spec


def _cell(arrays: Mapping[str, StoredArray], spec: RecurrentSpec, way: int) -> dict[str, StoredArray]:
    """Give the arrays of one direction."""
    found = {name: first_axis(array, way, way + 1) for name, array in arrays.items()}
    found = {name: reshaped(array, array.shape[1:]) for name, array in found.items()}
    if "B" in found and not spec.reset_after:
        found["B"] = _sum_of_halves(found["B"])
    return found


def _sum_of_halves(biases: StoredArray) -> StoredArray:
    """Add the two biases of a GRU that resets before the product, where both act alike."""
    count = biases.shape[0] // 2

    def fetch(first: int, size: int) -> Array:
        one, other = biases.read().reshape(2, count)[:, first : first + size]
        with np.errstate(invalid="ignore", over="ignore"):
            total: Array = np.where(other == 0, one, one + other)
        return total

    return derived((count,), biases.dtype.newbyteorder("="), fetch)


def _activations(node: Node, cell: CellName, ways: int) -> list[dict[str, Any]]:
    """Name the activations of each direction."""
    names = [str(name).lower() for name in node.attributes.get("activations", _DEFAULTS[cell] * ways)]
    count = len(_DEFAULTS[cell])
    if len(names) != count * ways:
        raise NotUnderstoodError(f"its activations are {names[:8]}, too {'few' if len(names) < count * ways else 'many'}")
    alphas, betas = (list(node.attributes.get(f"activation_{name}") or ()) for name in ("alpha", "beta"))
    found = []
    for name in names:
        alpha, beta = _PARAMETERS.get(name, (None, None))
        alpha = alphas.pop(0) if alpha is not None and alphas else alpha
        beta = betas.pop(0) if beta is not None and betas else beta
        key = (name, alpha if alpha is None else round(alpha, 4), beta if beta is None else round(beta, 4))
        if key not in _ACTIVATIONS:
            raise NotUnderstoodError(f"its activation {name} with alpha={alpha}, beta={beta} has no name here")
        found.append(_ACTIVATIONS[key])
    rows = [found[way * count : (way + 1) * count] for way in range(ways)]
    if any(len(set(row[1:])) > 1 for row in rows):
        raise NotUnderstoodError(f"its activations are {names}: candidate and output have two activations")
    return [{"activation": row[-1], **({"recurrent_activation": row[0]} if cell != "rnn" else {})} for row in rows]


def _warnings(node: Node) -> Iterator[str]:
    states = {name: _input(node, name) for name in ("initial_h", "initial_c")}
    given = [f"{name} ({states[name]})" for name in states if states[name]]
    if given:
        yield f"the graph gives it initial states, {' and '.join(given)}: a layer starts from zeros unless it is given them."
    if _input(node, "sequence_lens"):
        yield f"the graph gives it the lengths of the sequences ({_input(node, 'sequence_lens')}): pack or mask them."
    if any(node.arrays[name].dtype.name == "float16" for name in node.inputs[1:4] if name in node.arrays):
        yield "its weights are float16, given in float32, which holds them exactly."
    yield "its outputs in the graph are (time, direction, batch, hidden), where the layer's are joined by direction."
