"""Gaps: layers that the source leaves to its reader, as methods that raise NotImplementedError."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from frameworks.files.keras.config import RECURRENT
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.untrusted.source import StoredArray
from frameworks.files.writing.blocks import unchanged
from frameworks.models.graph import Call, Graph, Layer, Tensor, replaced, tensors_in
from frameworks.models.pytorch.axes import axes
from frameworks.models.pytorch.names import Names
from frameworks.models.pytorch.pieces import Name, Piece, Site, literal
from frameworks.models.pytorch.tidying import harmless, indented, paragraphs
from frameworks.showing import shortened

_TOLD = ("name", "trainable", "dtype", "batch_input_shape", "batch_shape")
"""What the source states elsewhere."""

_LONGEST = 200
"""The most characters of a value of a config that are shown: a Lambda's holds its bytecode."""


def reason(layer: Layer, kinds: Mapping[str, Any]) -> str:
    """Return why a layer cannot be written; "" if it can.

    Args:
        layer: the layer.
        kinds: the kinds that can be written, as keys.
    """
    if layer.gap:
        return layer.gap
    if layer.inner is not None and layer.kind == "TimeDistributed":
        return reason(layer.inner, kinds)
    if layer.kind in RECURRENT and isinstance(layer.stored, OtherLayer) and layer.stored.is_recurrent:
        return layer.stored.warnings[0].removesuffix(".")
    if layer.graph is not None or layer.kind in kinds or layer.kind == "TimeDistributed":
        return ""
    return "gatewise does not know this operation" if layer.is_operation else "gatewise does not know this class"


def gap_piece(layer: Layer, why: str) -> Piece:
    """Return the call of a method, and the layer's arrays as parameters for whoever fills it in."""
    arrays = _arrays(layer)

    def call(site: Site) -> str:
        named = [f"{name}={literal(value)}" for name, value in _named(site.kwargs).items()]
        if _is_masked(layer, site.call):
            named.append(f"mask={site.mask}")
        return f"{site.module}({', '.join([*map(literal, site.args), *named])})"

    module = f"nn.ParameterDict({{{', '.join(map(_empty, arrays, arrays.values()))}}})" if arrays else ""
    named = {name: unchanged(array) for name, array in arrays.items()}
    return Piece(call, module, named, how=f"left to be filled in: {why}")


def gap_method(layer: Layer, graph: Graph, method: str, weights: str) -> list[str]:
    """Return the lines of the method of a gap, indented.

    Args:
        layer: the layer.
        graph: the graph that it is called in.
        method: the name of the method.
        weights: the name of the module that holds the layer's arrays; "" if there are none.
    """
    title = f"{shortened(layer.kind, 40)} {shortened(layer.name, 60)!r}"
    lines = paragraphs(f'"""Stand for {harmless(title)}, whose code is not in the source model.', 2)
    for call in graph.calls_of(layer.name)[:1]:
        lines += ["", *_shapes(call, graph)]
        if layer.is_operation:
            lines += paragraphs(f"It is called with {harmless(_arguments(call))}.", 2)
    if any(_is_masked(layer, call) for call in graph.calls_of(layer.name)):
        lines += ["", *paragraphs("The mask of what it reads is true at valid steps: (batch, time).", 2)]
    arrays = _arrays(layer)
    if arrays:
        shown = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        lines += ["", *paragraphs(f"Its arrays, as the source model lays them out, are in self.{weights}: {shown}.", 2)]
    if config := {name: value for name, value in layer.config.items() if name not in _TOLD}:
        lines += ["", "        Its config:", *_config(config)]
    lines += ['        """']
    if len(lines) == 2:
        lines = [f'{lines[0]}"""']
    return [
        f"    def {method}({', '.join(['self', *_parameters(layer, graph.calls_of(layer.name))])}):",
        *lines,
        *indented([f"raise NotImplementedError({literal(f'{method} stands for {title}: write what it computes')})"], 2),
    ]


def _arrays(layer: Layer) -> dict[str, StoredArray]:
    """Return the arrays of a layer, by names that are identifiers."""
    names, stored = Names(), list[tuple[str, StoredArray]]()
    of_wrapper = layer.inner is not None and layer.stored is None
    held = layer.inner.stored if layer.inner is not None and of_wrapper else layer.stored
    if isinstance(held, OtherLayer):
        stored = list(held.stored.items())
    elif isinstance(held, StoredLayer):
        stored = [each for cells in held.cells for cell in cells for each in cell.arrays.items()]
    return {names.free(name, "array"): array for name, array in stored}


def _empty(name: str, array: StoredArray) -> str:
    kind = array.dtype.name
    dtype = "" if kind == "float32" else f", dtype=torch.{kind}"
    value = f"torch.zeros({literal(array.shape)}{dtype})"
    return f'"{name}": {value if array.dtype.kind == "f" else f"nn.Parameter({value}, requires_grad=False)"}'


def _named(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return keyword arguments by names that are identifiers."""
    names = Names(("self", "x", "inputs", "mask"))
    return {names.free(name, "argument"): value for name, value in kwargs.items()}


def _is_masked(layer: Layer, call: Call) -> bool:
    """Return whether a mask arrives with the input of a gap; what Keras's operations read has none."""
    return call.mask is not None and not layer.is_operation


def _parameters(layer: Layer, calls: Sequence[Call]) -> list[str]:
    """Return the parameters of a method that takes every call of a layer."""
    longest = max((call.args for call in calls), key=len, default=())
    shortest = min((len(call.args) for call in calls), default=0)
    parameters = [f"{_parameter(at, each)}{'=None' if at >= shortest else ''}" for at, each in enumerate(longest)]
    named = {name: None for call in calls for name in _named(call.kwargs)}
    masked = ["mask"] if any(_is_masked(layer, call) for call in calls) else []
    return [*parameters, *(f"{name}=None" for name in [*named, *masked])]


def _parameter(at: int, value: Any) -> str:
    if at == 0:
        return "x" if isinstance(value, (Tensor, Name)) else "inputs"
    return f"argument_{at + 1}"


def _arguments(call: Call) -> str:
    """Return the arguments of a call as text, where `x` stands for each tensor."""
    names = dict.fromkeys(call.reads, Name("x"))
    named = (f"{name}={literal(value)}" for name, value in replaced(dict(call.kwargs), names).items())
    return shortened(", ".join([*map(literal, replaced(call.args, names)), *named]), _LONGEST)


def _shapes(call: Call, graph: Graph) -> list[str]:
    takes = [axes(graph.shapes.get(each)) or "a tensor" for each in tensors_in(call.args)]
    returns = [axes(graph.shapes.get(each)) or "a tensor" for each in call.results]
    return paragraphs(f"It reads {' and '.join(takes) or 'nothing'}, and returns {' and '.join(returns)}.", 2)


def _config(config: Mapping[str, Any]) -> list[str]:
    lines = []
    for name, value in config.items():
        shown = shortened(json.dumps(value, default=repr), _LONGEST)
        lines += paragraphs(harmless(f"{shortened(str(name), 60)}: {shown}"), 3, 4)
    return lines
