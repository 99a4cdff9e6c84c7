"""A whole model as a flowchart in Mermaid."""

from __future__ import annotations

from collections.abc import Iterator

from compare.checkpoints.wiring import innermost, kind_text, made_by, models_in
from frameworks.escaping import printable
from frameworks.models.graph import (
    ArrivingMask,
    Call,
    GivenMask,
    Graph,
    MadeMask,
    Mask,
    MergedMask,
    Tensor,
    tensors_in,
)
from frameworks.showing import shortened

_ESCAPED = str.maketrans({character: f"#{ord(character)};" for character in '"#&<>`\\[](){}|;'})


def to_mermaid(graph: Graph) -> str:
    """Return a model as a flowchart: solid arrows for data, dotted ones for states and masks, a box for each model in it."""
    lines = ["flowchart TD"]
    for number, (name, each) in enumerate(models_in(graph)):
        if name:
            lines += [f'  subgraph m{number}["{_label(name)}"]', *_drawn(each, f"m{number}_", "    "), "  end"]
        else:
            lines += _drawn(each, "m0_", "  ")
    return "\n".join(lines)


def _drawn(graph: Graph, prefix: str, indent: str) -> Iterator[str]:
    """Yield the lines of one model."""
    names: dict[tuple[str, int], str] = {}
    for at, tensor in enumerate(dict.fromkeys(graph.inputs)):
        names[tensor.layer, tensor.call] = f"{prefix}in{at}"
        yield f'{indent}{prefix}in{at}(["{_label(tensor.layer)}{_shape(graph, tensor)}"])'
    for at, call in enumerate(graph.calls):
        names[call.layer, call.number] = f"{prefix}c{at}"
        yield f"{indent}{prefix}c{at}{_box(graph, call)}"
    for at, call in enumerate(graph.calls):
        for line in dict.fromkeys(_arrows(call, graph, f"{prefix}c{at}", names)):
            yield f"{indent}{line}"
    for at, tensor in enumerate(graph.outputs):
        yield f'{indent}{prefix}out{at}(["output{_shape(graph, tensor)}"])'
        yield f"{indent}{names[tensor.layer, tensor.call]} --> {prefix}out{at}"


def _box(graph: Graph, call: Call) -> str:
    layer = graph.layers[call.layer]
    again = f" (call {call.number + 1})" if call.number else ""
    shape = _shape(graph, call.results[0]) if call.results else ""
    label = f"{_label(f'{call.layer}{again}')}<br/>{_label(kind_text(layer))}{shape}"
    if layer.gap:
        return f'{{{{"{label}"}}}}'
    return f'[["{label}"]]' if innermost(layer).graph is not None else f'["{label}"]'


def _arrows(call: Call, graph: Graph, to: str, names: dict[tuple[str, int], str]) -> Iterator[str]:
    for tensor in tensors_in(call.args):
        yield f"{names[tensor.layer, tensor.call]} --> {to}"
    for name, value in call.kwargs.items():
        label = "state" if name == "initial_state" else _label(name)
        for tensor in tensors_in(value):
            yield f"{names[tensor.layer, tensor.call]} -. {label} .-> {to}"
    for mask in call.masks:
        for layer, number in _makers(mask, graph):
            if (layer, number) in names and names[layer, number] != to:
                yield f"{names[layer, number]} -. mask .-> {to}"


def _makers(mask: Mask | None, graph: Graph) -> Iterator[tuple[str, int]]:
    """Yield the calls that a mask comes from."""
    waiting = [mask]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, MadeMask):
            made = made_by(one, graph)
            yield made.layer, made.call
        elif isinstance(one, ArrivingMask):
            yield one.read.layer, one.read.call
        elif isinstance(one, MergedMask):
            waiting.extend(one.masks)
        elif isinstance(one, GivenMask) or one is not None:
            yield one.tensor.layer, one.tensor.call


def _shape(graph: Graph, tensor: Tensor) -> str:
    shape = graph.shapes.get(tensor)
    return "" if shape is None else f"<br/>{' x '.join('any' if size is None else str(size) for size in shape)}"


def _label(text: str) -> str:
    """Return text for a label in double quotes, in which Mermaid reads nothing."""
    return shortened(printable(text), 80).translate(_ESCAPED)
