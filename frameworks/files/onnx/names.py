"""The names of layers: those of torch's modules where the file states them, so that a ported file can be loaded there."""

from __future__ import annotations

import re

from frameworks.files.onnx.graph import Graph, Node

_GENERATED = re.compile(r"onnx::\w+|val_\d+|\d+")
"""Names that torch's exporters give to arrays which they have computed."""
_CALL = re.compile(r"(.*\D)_\d+")
"""The name that torch's older exporter gives to a further call of a module."""


def is_from_torch(graph: Graph) -> bool:
    """Return whether torch wrote the model, so that the names of its arrays are those of a state dict."""
    return graph.producer.startswith("pytorch")


def is_parameter(name: str, graph: Graph) -> bool:
    """Return whether an array has a name that its author chose, and that an exporter did not make."""
    return name not in graph.literals and not (is_from_torch(graph) and _GENERATED.fullmatch(name))


def module_of(node: Node) -> str | None:
    """Return the name of the module of torch that a node belongs to, or None if the file does not state it.

    Older exporters state it in the name of the node: `/encoder/layers.0/rnn/LSTM_1`.
    """
    if node.module is not None:
        return node.module.name
    if not node.name.startswith("/"):
        return None
    path: list[str] = []
    for part in node.name.split("/")[1:-1]:
        atoms = part.split(".")
        # A module within a Sequential is named after both: /layers/layers.0.
        path += atoms[1:] if len(atoms) > 1 and path[-1:] == atoms[:1] else atoms
    return ".".join(path)


def place_of(node: Node) -> str:
    """Return a name for the layer that a node computes: its module, the folder in its name, or else its name."""
    module = module_of(node)
    return module if module is not None else node.name.rpartition("/")[0] or node.name


def split(name: str) -> tuple[str, str]:
    """Return the name of the module that a parameter belongs to, and the parameter's name there."""
    owner, _, leaf = name.rpartition(".")
    return owner, leaf


def is_further_call(name: str, first: str) -> bool:
    """Return whether a name is that of a further call of a module."""
    call = _CALL.fullmatch(name)
    return name == first or (call is not None and call[1] == first)


def within(place: str, name: str) -> str:
    """Return the name of an array in a layer: without the layer's own."""
    return name.removeprefix(f"{place}.").removeprefix(f"{place}/") if place else name
