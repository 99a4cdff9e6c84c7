"""Recurrent nodes of an ONNX file. Source: https://onnx.ai/onnx/operators/, LSTM, GRU and RNN."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from frameworks.files.answers import Answers
from frameworks.files.keras_config import Config
from frameworks.files.onnx_folding import Folding
from frameworks.files.onnx_graph import Graph, Node, read_graph
from frameworks.files.others import OtherLayer
from frameworks.files.source import Source, StoredArray
from frameworks.files.stored import StoredCell, StoredLayer
from frameworks.layouts import ONNX
from frameworks.spec import GATES, CellName, RecurrentSpec

Layer = StoredLayer | OtherLayer

_CELLS: Mapping[str, CellName] = {"LSTM": "lstm", "GRU": "gru", "RNN": "rnn"}
_QUANTISED = ("DynamicQuantizeLSTM",)
_ACTIVATIONS = {"tanh": "tanh", "sigmoid": "sigmoid", "relu": "relu", "softsign": "softsign", "softplus": "softplus"}
_DEFAULTS = {"lstm": ["Sigmoid", "Tanh", "Tanh"], "gru": ["Sigmoid", "Tanh"], "rnn": ["Tanh"]}
_KNOWN = ("Gemm", "MatMul", "Conv", "BatchNormalization", "LayerNormalization", "PRelu", "Gather")


def read(source: Source, architecture: Config | None, answers: Answers) -> list[Layer]:  # noqa: ARG001  it has its own
    """Read the nodes of an ONNX file.

    Raises:
        GatewiseError: for a damaged file.
    """
    graph = read_graph(source)
    constants = Folding(graph)
    return [layer for number, node in enumerate(graph.nodes) for layer in _read_node(node, number, graph, constants, answers)]


def _read_node(node: Node, number: int, graph: Graph, constants: Folding, answers: Answers) -> Iterator[Layer]:
    name = node.name or f"{node.kind}_{number}"
    own = {each: graph.tensors[each] for each in node.inputs if each in graph.tensors}
    if node.kind in _CELLS:
        try:
            yield _recurrent(name, node, graph, constants, answers.of(name))
        except _OddError as why:
            yield OtherLayer(name, node.kind, MappingProxyType(own), warnings=(f"it is not read as a recurrent layer: {why}.",))
    elif node.kind in _QUANTISED:
        quantised = "its weights are whole numbers with a scale: give the model from before it was quantised."
        yield OtherLayer(name, node.kind, MappingProxyType(own), warnings=(f"{node.kind} is not read, {quantised}",))
    elif own:
        yield OtherLayer(name, node.kind, MappingProxyType(own), known=node.kind in _KNOWN)


class _OddError(Exception):
    """Why a recurrent node is not read as one."""


def _recurrent(name: str, node: Node, graph: Graph, constants: Folding, said: Mapping[str, Any]) -> StoredLayer:
    inputs = dict(zip(("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P"), node.inputs, strict=False))
    cell = _CELLS[node.kind]
    for attribute, held in (("clip", None), ("input_forget", 0)):
        if node.attributes.get(attribute, held) not in (held, 0):
            raise _OddError(f"{attribute}={node.attributes[attribute]}, which neither framework has")
    if inputs.get("P"):
        raise _OddError("its gates see the cell state through peepholes, which neither framework has")
    direction = node.attributes.get("direction", "forward")
    if direction not in ("forward", "bidirectional"):
        raise _OddError(f"direction={direction!r}: no one torch module reads the sequence from its end alone")
    arrays = {each: _tensor(inputs[each], each, graph, constants) for each in ("W", "R", "B") if inputs.get(each)}
    count = 2 if direction == "bidirectional" else 1
    activation, gate = _activations(cell, node, count)
    reset_after = cell != "gru" or node.attributes.get("linear_before_reset") == 1
    spec = _spec(arrays, cell, count, activation=said.get("activation", activation), gate=gate, reset_after=reset_after)
    rows = tuple(StoredCell(spec, ONNX, MappingProxyType(_direction(arrays, at, spec))) for at in range(count))
    return StoredLayer(
        name=name,
        origin="pytorch",
        class_name=node.kind,
        cells=(rows,),
        warnings=tuple(_warnings(inputs)),
        arguments=MappingProxyType({"batch_first": bool(node.attributes.get("layout"))}),
    )


def _tensor(value: str, which: str, graph: Graph, constants: Folding) -> StoredArray:
    found = constants.find(value)
    if found is None:
        raise _OddError(f"{which} is {graph.odd.get(value, 'computed in the graph, not a constant')}")
    return found


def _spec(
    arrays: Mapping[str, StoredArray], cell: CellName, count: int, *, activation: str, gate: str, reset_after: bool
) -> RecurrentSpec:
    gates = len(GATES[cell])
    if not {"W", "R"} <= set(arrays) or any(len(arrays[each].shape) != 3 for each in ("W", "R")):
        raise _OddError("it lacks W or R of three axes")
    (_, _, size), hidden = arrays["W"].shape, arrays["R"].shape[2]
    wanted = {"W": (count, gates * hidden, size), "R": (count, gates * hidden, hidden), "B": (count, 2 * gates * hidden)}
    for each, array in arrays.items():
        if array.shape != wanted[each] or not hidden or not size:
            raise _OddError(f"{each} has shape {array.shape}, not {wanted[each]}")
    dtypes = {array.dtype.name for array in arrays.values()}
    if len(dtypes) > 1 or not dtypes <= {"float32", "float64"}:
        raise _OddError(f"its weights are {', '.join(sorted(dtypes))}: float32 or float64 is read")
    return RecurrentSpec(
        cell=cell,
        input_size=size,
        hidden_size=hidden,
        bias="B" in arrays,
        dtype="float64" if "float64" in dtypes else "float32",
        activation=activation,
        recurrent_activation=gate,
        reset_after=reset_after,
    )


def _direction(arrays: Mapping[str, StoredArray], at: int, spec: RecurrentSpec) -> dict[str, StoredArray]:
    """Give the arrays of one direction; those of a GRU that resets before the product with the sum of its biases."""
    found = {}
    for name, array in arrays.items():
        size = array.nbytes // array.shape[0]
        found[name] = StoredArray(array.shape[1:], array.dtype, array.read_into, array.start + at * size)
    if "B" in found and not spec.reset_after:
        pair = found["B"]
        half = pair.shape[0] // 2

        def read_into(start: int, buffer: memoryview) -> None:
            both = pair.read()
            total = (both[:half] + both[half:]).astype(pair.dtype, copy=False)
            buffer[:] = total.view(np.uint8)[start : start + len(buffer)].data

        found["B"] = StoredArray((half,), pair.dtype, read_into)
    return found


def _activations(cell: CellName, node: Node, count: int) -> tuple[str, str]:
    """Name the activation of the candidate and that of the gates."""
    names: Sequence[Any] = node.attributes.get("activations") or _DEFAULTS[cell] * count
    own = names[: len(_DEFAULTS[cell])] if isinstance(names, list) else []
    if len(own) < len(_DEFAULTS[cell]):
        raise _OddError(f"its activations are {names}, which are too few")
    if len(names) != count * len(own) or list(names) != own * count:
        raise _OddError(f"its activations are {', '.join(map(str, names))}, not the same in both directions")
    found = [_activation(str(name), node) for name in own]
    if cell == "lstm" and found[1] != found[2]:
        raise _OddError(f"its candidate and its cell state have two activations, {found[1]} and {found[2]}")
    return found[0 if cell == "rnn" else 1], "sigmoid" if cell == "rnn" else found[0]


def _activation(name: str, node: Node) -> str:
    if name.lower() in _ACTIVATIONS and not node.attributes.get("activation_alpha"):
        return _ACTIVATIONS[name.lower()]
    if name.lower() == "hardsigmoid" and not (
        node.attributes.get("activation_alpha") or node.attributes.get("activation_beta")
    ):
        return "keras2_hard_sigmoid"  # 0.2 x + 0.5, clipped, is ONNX's default too
    raise _OddError(f"its activation {name} has no name here")


def _warnings(inputs: Mapping[str, str]) -> Iterator[str]:
    if inputs.get("initial_h") or inputs.get("initial_c"):
        yield "the graph gives it initial states: pass them in each call."
    if inputs.get("sequence_lens"):
        yield "the graph gives it the lengths of the sequences: pack them, or pass them as a mask."
