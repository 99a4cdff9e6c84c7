"""Recurrent layers that a graph writes out as plain operators, or in a loop: they are named, and not read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from frameworks.files.onnx.graph import Graph, Node
from frameworks.files.onnx.names import is_from_torch, place_of, split, within
from frameworks.files.onnx.operators import constant
from frameworks.files.onnx.recurrent import KINDS
from frameworks.files.other_layers import NotUnderstoodError, OtherLayer
from frameworks.files.untrusted.source import StoredArray

_LOOPS = ("Loop", "Scan")
_PRODUCTS, _GATES = ("MatMul", "Gemm"), ("Sigmoid", "HardSigmoid", "Clip")
_MOVES = ("Identity", "Cast", "Split", "Slice", "Squeeze", "Unsqueeze", "Reshape", "Transpose", "Gather")
_THROUGH = (*_MOVES, *_GATES, "Tanh", "Add", "Sub", "Mul", "Div", "Neg")
_MOST_STEPS = 300
_CLASSES = tuple(f"{kind}{cell}" for kind in KINDS for cell in ("", "Cell"))
_PLAIN = "the graph writes it out as plain operators"
_REMEDY = (
    ", and does not state which array holds which gate. Open the file that the model was exported from, or save the arrays "
    "with NumPy under torch's names, as in NAME.weight_ih_l0, with the gates in torch's order"
)
_EXPORT = ". Export the model with dynamo=False, which keeps it as one operator"
Arrays = dict[str, StoredArray]


def find_written_out(graph: Graph, used: Mapping[str, StoredArray]) -> tuple[list[OtherLayer], Arrays]:
    """Return the recurrent layers that have no operator of their own, and all their arrays by name.

    Args:
        graph: the graph.
        used: the arrays of the layers that were read, by name.
    """
    literals = graph.literals if is_from_torch(graph) else set()
    layers, taken = _stated(graph, used)
    in_loops = {id(node) for loop in graph.nodes if loop.kind in _LOOPS for node in loop.body}
    consumers: dict[int, list[Node]] = {}
    for node in graph.nodes:
        for name in node.inputs:
            if maker := node.maker(name):
                consumers.setdefault(id(maker), []).append(node)
    met: set[frozenset[str]] = set()
    for node in graph.nodes:
        if id(node) in in_loops:
            continue
        kind, arrays = _of_loop(node) if node.kind in _LOOPS else _of_operators(node, consumers)
        own = {name: array for name, array in graph.arrays.items() if name in arrays and array.shape and name not in literals}
        if own and own.keys().isdisjoint({*used, *taken}) and frozenset(own) not in met:
            layers.append(_layer(node, kind, own))
        met.add(frozenset(own))
    return layers, taken | {name: graph.arrays[name] for names in met for name in names}


def _layer(node: Node, kind: str, arrays: Arrays) -> OtherLayer:
    how = "it is a loop over plain operators" if node.kind in _LOOPS else _PLAIN
    place = place_of(node)
    stored = {within(place, name): array for name, array in arrays.items()}
    return OtherLayer(place, kind, MappingProxyType(stored), warnings=(NotUnderstoodError(f"{how}{_REMEDY}").warning,))


def stated_modules(graph: Graph) -> set[str]:
    """Return the names of the modules that the file states to be recurrent."""
    return {node.module.name for node in graph.nodes if node.module and node.module.class_name in _CLASSES}


def _stated(graph: Graph, used: Mapping[str, StoredArray]) -> tuple[list[OtherLayer], Arrays]:
    """Return the recurrent modules that the file names as such, and what the exporter computed for those that were read."""
    modules: dict[tuple[str, str], Arrays] = {}
    read = {split(name)[0] for name in used}
    for node in graph.nodes:
        if node.module is None or node.module.class_name not in _CLASSES:
            continue
        if node.kind in KINDS:
            read.add(node.module.name)
            continue
        arrays = modules.setdefault((node.module.name, node.module.class_name), {})
        arrays |= {name: array for name in node.inputs if (array := node.scope.arrays.get(name)) and array.dtype.kind == "f"}
    layers = []
    taken: Arrays = {}
    for (name, kind), arrays in modules.items():
        own = {each: array for each, array in arrays.items() if each not in used and array.shape}
        taken |= own
        if name not in read and own:
            warning = NotUnderstoodError(f"{_PLAIN}{_EXPORT}").warning
            layers.append(OtherLayer(name, kind, MappingProxyType(own), warnings=(warning,)))
    return layers, taken


def _of_loop(loop: Node) -> tuple[str, Arrays]:
    """Return the weights of a loop that multiplies with weights and has no recurrent operator in it."""
    if any(node.kind in KINDS for node in loop.body) or not any(node.kind in _PRODUCTS for node in loop.body):
        return "", {}
    stored = [each for node in (loop, *(one for one in loop.body if one.kind in (*_PRODUCTS, "Add"))) for each in _stored(node)]
    return loop.kind, {name: array for name, array in stored if array.dtype.kind == "f"}


def _stored(node: Node) -> Iterator[tuple[str, StoredArray]]:
    for name in node.inputs:
        each = constant(name, node)
        if each is not None:
            yield each.name, each.source


def _of_operators(node: Node, consumers: Mapping[int, list[Node]]) -> tuple[str, Arrays]:
    """Return the cell whose candidate or output a node computes, and its weights; "" and {} if it is a part of no cell."""
    cell = _cell(node) if node.kind in ("Tanh", "Relu") and node.inputs else ""
    if not cell:
        return "", {}
    arrays = _behind(node, activated=cell != "LSTM")
    following = [node]
    for _ in range(2):
        following = [each for one in following for each in consumers.get(id(one), ()) if each.kind in ("Mul", "Sub", "Add")]
        for each in following if cell != "RNN" else ():
            arrays |= _behind(each, activated=False)
    return f"{cell} of plain operators", arrays


def _cell(node: Node) -> str:
    """Return the cell that has this activation: the output of an LSTM, or the candidate of a GRU or RNN."""
    terms = list(_terms(node.inputs[0], node))
    gated = [term for term in terms if _factors(term, _GATES)]
    if node.kind == "Tanh":
        if len(terms) == len(gated) == 2 and any(_factors(term, ("Tanh",)) for term in gated):
            return "LSTM"
        products = [term for term in terms if term.kind in _PRODUCTS]
        if any(_has_product(term) for term in gated) or (len(products) > 1 and any(map(_state_gates, products))):
            return "GRU"
    return "RNN" if any(_reads_state(term, node) for term in terms) else ""


def _terms(name: str, node: Node, depth: int = 0) -> Iterator[Node]:
    """Yield the nodes that compute the terms of a sum."""
    maker = node.maker(name)
    if maker is None or depth > 6:
        return
    if maker.kind == "Add":
        for each in maker.inputs:
            yield from _terms(each, maker, depth + 1)
    elif maker.kind in _MOVES and maker.inputs:
        yield from _terms(maker.inputs[0], maker, depth + 1)
    else:
        yield maker


def _factors(node: Node, kinds: tuple[str, ...]) -> bool:
    """Return whether one factor of a product of elements comes from these operators."""
    if node.kind != "Mul":
        return False
    return any(term.kind in kinds for name in node.inputs for term in _terms(name, node))


def _has_product(node: Node) -> bool:
    return any(term.kind in _PRODUCTS for name in node.inputs for term in _terms(name, node))


def _state_gates(node: Node) -> list[tuple[str, Node]]:
    """Return the gates of a state that a node multiplies with weights: the names of their values, and the reader of each."""
    maker = node.maker(node.inputs[0])
    if maker is None or maker.kind != "Mul":
        return []
    return [(each, maker) for each in maker.inputs if (gate := maker.maker(each)) and gate.kind in _GATES]


def _reads_state(node: Node, activation: Node) -> bool:
    """Return whether a node multiplies square weights with the previous result of the same cell."""
    weight = constant(node.inputs[1], node) if node.kind in _PRODUCTS and len(node.inputs) > 1 else None
    if weight is None or len(set(weight.array.shape)) != 1:
        return False
    states = [term for term in _terms(node.inputs[0], node) if term.kind == activation.kind]
    terms = [term for state in states for term in _terms(state.inputs[0], state) if term.kind in _PRODUCTS]
    return any((each := constant(term.inputs[1], term)) and each.source is weight.source for term in terms)


def _behind(node: Node, *, activated: bool) -> Arrays:
    """Return the weights from which a cell's gates are computed, without those that compute its input or its first state."""
    arrays: Arrays = {}
    left = [(name, node, activated) for name in node.inputs]
    met: set[tuple[int, bool]] = set()
    while left and len(met) < _MOST_STEPS:
        name, reader, below = left.pop()
        stored, maker = constant(name, reader), reader.maker(name)
        if stored is not None:
            arrays |= {stored.name: stored.source} if below and stored.source.dtype.kind == "f" else {}
        elif maker is not None and (id(maker), below) not in met:
            met.add((id(maker), below))
            if maker.kind in _PRODUCTS and below:
                left += [(each, maker, True) for each in maker.inputs[1:]]
                left += [(*gate, True) for gate in _state_gates(maker)]
            elif maker.kind in _THROUGH:
                inner = maker.inputs[:1] if maker.kind in _MOVES else maker.inputs
                left += [(each, maker, below or maker.kind in (*_GATES, "Tanh")) for each in inner]
    return arrays
