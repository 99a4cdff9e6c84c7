"""Non-recurrent layers of a graph: their kind is that of the operator which uses their arrays, never a guess from shapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from frameworks.files.onnx.graph import Graph, Node
from frameworks.files.onnx.names import is_from_torch, is_further_call, is_parameter, place_of, split, within
from frameworks.files.onnx.normalisation import joined
from frameworks.files.onnx.operators import Constant, arrays_of, constant, options_of
from frameworks.files.onnx.recurrent import KINDS
from frameworks.files.other_layers import OtherLayer
from frameworks.files.torch.other_layers import read_other
from frameworks.files.untrusted.source import StoredArray
from frameworks.kinds import OPERATORS, PYTORCH

_MOVES = ("Identity", "Transpose", "Cast", "Unsqueeze", "Squeeze", "Reshape", "Slice", "Split", "Concat", "Gather", "Expand")
"""Operators that only move elements: they do not show what an array is for."""
_MOST_MOVES = 8


@dataclass
class _Group:
    """Arrays that belong together, and that no known module has.

    Args:
        kinds: the operators that use them, or the class of their module, in order.
        stored: the arrays by name.
    """

    kinds: dict[str, None] = field(default_factory=dict)
    stored: dict[str, StoredArray] = field(default_factory=dict)


class OtherLayers:
    """Finds the non-recurrent layers of a graph.

    Args:
        graph: the graph.
        used: the arrays of recurrent layers, by name.
    """

    def __init__(self, graph: Graph, used: Mapping[str, StoredArray]) -> None:
        """Find the products whose result only gets a bias."""
        self._graph, self._used, self._is_from_torch = graph, used, is_from_torch(graph)
        self._nodes = joined(graph.nodes)
        self._listed: dict[str, StoredArray] = {}
        uses = Counter(id(maker) for node in graph.nodes for name in node.inputs if (maker := node.maker(name)))
        self._biases: dict[int, Constant] = {}
        self._added: set[int] = set()
        for node in self._nodes:
            for product, bias in _sums(node):
                if uses[id(product)] == 1:
                    self._biases[id(product)] = bias
                    self._added.add(id(node))

    def read(self) -> Iterator[OtherLayer]:
        """Yield the layers in the order of the graph, each once, however often the graph calls it."""
        found: dict[str, OtherLayer | _Group] = {}
        sources: dict[tuple[str, frozenset[StoredArray]], list[str]] = {}
        for number, node in enumerate(self._nodes):
            if id(node) in self._added:
                continue
            constants = self._constants(node)
            layer = self._module(node, constants)
            if layer is None:
                self._collect(node, found)
                continue
            self._listed |= {each.name: each.source for each in constants.values()}
            calls = sources.setdefault((layer.kind, frozenset(each.source for each in constants.values())), [])
            if not any(is_further_call(layer.name, earlier) for earlier in calls):
                calls.append(layer.name)
                found[f"{number} {layer.name}"] = layer
        self._collect_unused(found)
        for name, each in found.items():
            if isinstance(each, OtherLayer):
                yield each
            else:
                yield OtherLayer(name, ", ".join(each.kinds), MappingProxyType(each.stored))

    def _constants(self, node: Node) -> dict[str, Constant]:
        """Return the arrays of the module that an operator computes, by torch's names; {} if it computes none."""
        operator = OPERATORS.get(node.kind) if node.is_standard else None
        constants: dict[str, Constant] = {}
        if operator is None:
            return {}
        for name, given in zip(operator.inputs, node.inputs, strict=False):
            each = constant(given, node, flat=operator.flattened) if name and given else None
            if name and given and (each is None or each.name in self._used):
                return {}
            if each is not None:
                constants[name] = each
        if constants and id(node) in self._biases:
            constants["bias"] = self._biases[id(node)]
        return constants

    def _module(self, node: Node, constants: Mapping[str, Constant]) -> OtherLayer | None:
        """Return the module that an operator computes, or None if it computes none."""
        if not constants:
            return None
        operator = OPERATORS[node.kind]
        module = operator.module(len(next(iter(constants.values())).array.shape))
        name = self._name(node, module, constants)
        if not module or name is None or not operator.computes_module(node.attributes):
            return None
        try:
            arrays, options = arrays_of(node, operator, constants), options_of(node, operator)
        except (TypeError, ValueError, IndexError, OverflowError):  # attributes of other types
            return None
        if arrays is None:
            return None
        stated = node.module.class_name if node.module else ""
        kind = stated if stated in PYTORCH.kinds and module in stated else module
        if PYTORCH.get(kind).means:
            return next(read_other(name, arrays, {"torch": True, "class": kind, **options}))
        return OtherLayer(name, kind, MappingProxyType(arrays), options, known=True)

    def _name(self, node: Node, module: str, constants: Mapping[str, Constant]) -> str | None:
        """Return the module's name, or None if the names in the file show that it is a part of another one."""
        parameters = {name: split(each.name) for name, each in constants.items() if is_parameter(each.name, self._graph)}
        owners = {owner for owner, _ in parameters.values()}
        own = next(iter(owners)) if len(owners) == 1 and all(leaf == name for name, (_, leaf) in parameters.items()) else None
        if not self._is_from_torch:
            return own if own and len(parameters) == len(constants) else place_of(node)
        if node.module is not None:
            place, stated = node.module.name, node.module.class_name
            if own is not None and (own == place or own.startswith(f"{place}." if place else "")):
                return own
            if stated and stated.startswith(module):
                return place
            if stated:  # an exporter that folds a layer into the one before it keeps the names of that one's arrays
                return None if any(each.name in self._listed for each in constants.values()) else own
        if parameters:
            return own
        return None if OPERATORS[node.kind].serves_others else place_of(node)

    def _collect(self, node: Node, found: dict[str, OtherLayer | _Group]) -> None:
        """Add the arrays that an unknown operator uses to the group of their module."""
        if _moves(node) or KINDS.get(node.kind):
            return
        constants = [each for name in node.inputs for each in _sources(name, node)]
        if id(node) in self._biases:
            bias = self._biases[id(node)]
            constants.append((bias.name, bias.source))
        for name, array in constants:
            if name not in self._used and name not in self._listed and self._is_weight(name, array):
                self._put(name, array, node, found)

    def _put(self, name: str, array: StoredArray, node: Node | None, found: dict[str, OtherLayer | _Group]) -> None:
        stated = node.module if node else None
        if stated is not None and stated.class_name:
            place = stated.name
        elif node is None or (is_parameter(name, self._graph) and (self._is_from_torch or "." in name)):
            place = split(name)[0]
        else:
            place = place_of(node)
        group = found.setdefault(place, _Group())
        if isinstance(group, OtherLayer):  # keys of modules begin with a number and a space
            return
        kind = (stated.class_name or node.kind if stated else node.kind) if node else ""
        if kind:
            group.kinds[kind] = None
        group.stored[within(place, name)] = array

    def _is_weight(self, name: str, array: StoredArray) -> bool:
        """Return whether an array may hold weights, rather than shapes, indices or a constant of torch's code."""
        if self._is_from_torch and name in self._graph.literals:
            return False
        return len(array.shape) > 1 or (len(array.shape) == 1 and array.dtype.kind == "f")

    def _collect_unused(self, found: dict[str, OtherLayer | _Group]) -> None:
        """Add the arrays that nothing else has."""
        grouped = (array for each in found.values() for array in each.stored.values())
        listed = {*self._used.values(), *self._listed.values(), *grouped}
        for name, array in self._graph.arrays.items():
            if array not in listed and self._is_weight(name, array):
                self._put(name, array, None, found)


def _sums(node: Node) -> Iterator[tuple[Node, Constant]]:
    """Yield the product and the bias that a node adds, if it adds a bias to a product that may have one apart."""
    if node.kind != "Add" or not node.is_standard or len(node.inputs) != 2:
        return
    for one, other in (node.inputs, node.inputs[::-1]):
        product, bias = node.maker(one), constant(other, node)
        operator = OPERATORS.get(product.kind) if product and product.is_standard else None
        if product is None or bias is None or operator is None or not operator.bias_apart or len(product.inputs) != 2:
            continue
        weight = constant(product.inputs[1], product)
        if weight is None or len(weight.array.shape) != 2:
            continue
        outputs = weight.array.shape[1 if operator.is_turned(product.attributes) else 0]
        if bias.array.shape == (outputs,):
            yield product, bias


def _sources(name: str, node: Node, depth: int = 0) -> Iterator[tuple[str, StoredArray]]:
    """Yield the stored arrays of which an input consists, after moves of their elements."""
    array, maker = node.scope.arrays.get(name), node.maker(name)
    if array is not None:
        yield name, array
    elif maker is not None and _moves(maker) and depth < _MOST_MOVES:
        for each in maker.inputs if maker.kind == "Concat" else maker.inputs[:1]:
            yield from _sources(each, maker, depth + 1)


def _moves(node: Node) -> bool:
    """Return whether an operator only moves elements of its first inputs, to places that the file states."""
    return node.kind in _MOVES and (len(node.inputs) < 2 or node.kind != "Gather" or constant(node.inputs[1], node) is not None)
