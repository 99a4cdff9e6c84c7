"""Recurrent nodes as the modules of torch that they were: the layers of a module together, and each module once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from types import MappingProxyType

from frameworks.files.onnx.graph import Node
from frameworks.files.onnx.names import is_further_call, module_of, split
from frameworks.files.onnx.recurrent import Read
from frameworks.files.stored import StoredLayer

_MOVES = ("Transpose", "Reshape", "Squeeze", "Identity", "Cast", "Dropout")
"""What may lie between two layers of a module."""
_MOST_MOVES = 6
_LEAF = re.compile(r"(?:weight|bias)_(?:ih|hh)_l\d+(?:_reverse)?")
_BATCH_FIRST = [1, 0, 2]


def join(reads: Iterable[Read]) -> Iterator[tuple[Node, StoredLayer]]:
    """Yield the modules, each with its first node. A node whose module is not stated is a layer by itself."""
    stacks: list[list[Read]] = []
    for read in reads:
        if stacks and _continues(stacks[-1], read):
            stacks[-1].append(read)
        else:
            stacks.append([read])
    calls: list[list[list[Read]]] = []
    for stack in stacks:
        known = next((each for each in calls if _is_further_call(stack, each[0])), None)
        if known is None:
            calls.append([stack])
        else:
            known.append(stack)
    for each in calls:
        yield each[0][0].node, _module(each)


def _module_of(read: Read) -> str | None:
    """Return the name of a node's module, from its place in the graph or from the names of its arrays."""
    owners = {owner for owner, leaf in map(split, read.weights) if _LEAF.fullmatch(leaf)}
    stated = module_of(read.node)
    return owners.pop() if stated is None and len(owners) == 1 else stated


def _continues(stack: list[Read], read: Read) -> bool:
    """Return whether a node is the next layer of a module: it has the same place and the right sizes, and reads the output."""
    before, one, other = stack[-1], stack[-1].layer, read.layer
    alike = _module_of(read) is not None and _module_of(before) == _module_of(read) and one.class_name == other.class_name
    if not alike or one.options or other.options or len(one.cells[0]) != len(other.cells[0]):
        return False
    if other.cells[0][0].spec.input_size != len(one.cells[0]) * one.cells[0][0].spec.hidden_size:
        return False
    return not any(_has_same_weights(each, read) for each in stack) and _reads_output(read.node, before.node)


def _reads_output(node: Node, before: Node) -> bool:
    for _ in range(_MOST_MOVES):
        name = node.inputs[0]
        maker = node.maker(name)
        if maker is before:
            return name == before.outputs[0]
        if maker is None or maker.kind not in _MOVES or not maker.inputs:
            return False
        node = maker
    return False


def _is_further_call(stack: list[Read], first: list[Read]) -> bool:
    """Return whether a stack is a further call of the module of another."""
    module, earlier = _module_of(stack[0]), _module_of(first[0])
    if module is None or earlier is None or len(stack) != len(first) or not is_further_call(module, earlier):
        return False
    return all(_has_same_weights(one, other) for one, other in zip(stack, first, strict=True))


def _has_same_weights(one: Read, other: Read) -> bool:
    first, second = ({array for array in each.weights.values() if array.dtype.kind == "f"} for each in (one, other))
    return first == second


def _module(calls: list[list[Read]]) -> StoredLayer:
    """Return a module as one layer.

    Args:
        calls: the nodes of each of its calls, one per layer.
    """
    stack = calls[0]
    node, layer, name = stack[0].node, stack[0].layer, _module_of(stack[0])
    if name is None:
        return layer
    maker = node.maker(node.inputs[0])
    turned = maker is not None and maker.kind == "Transpose" and maker.attributes.get("perm") == _BATCH_FIRST
    batch_first = turned and maker is not None and module_of(node) is not None and module_of(maker) == module_of(node)
    warnings = dict.fromkeys(warning for each in (*calls,) for read in each for warning in read.layer.warnings)
    if len(calls) > 1:
        warnings[f"the graph calls it {len(calls)} times."] = None
    return replace(
        layer,
        name=name,
        cells=tuple(row for each in stack for row in each.layer.cells),
        warnings=tuple(warnings),
        arguments=MappingProxyType({"batch_first": batch_first or layer.arguments["batch_first"]}),
    )
