"""What feeds what in a whole model, which states and masks go where: as data, and as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from compare.checkpoints.terminal_tables import table
from frameworks.escaping import printable
from frameworks.models.graph import (
    ArrivingMask,
    Call,
    GivenMask,
    Graph,
    Layer,
    MadeMask,
    Mask,
    MergedMask,
    Tensor,
    Value,
    tensors_in,
)
from frameworks.showing import shortened

_LISTED = 40
"""The most calls of a model that are listed without --verbose."""
_ENDS = 15
"""The number of calls at the beginning and at the end of a longer model that are listed."""


def describe_wiring(graph: Graph) -> list[dict[str, Any]]:
    """Return the calls of a model, and then those of each model in it, as data for JSON."""
    return [_model(name, each) for name, each in models_in(graph)]


def render_wiring(models: Sequence[Mapping[str, Any]], *, verbose: bool = False) -> list[str]:
    """Return the data of `describe_wiring` as a paragraph for each model.

    Args:
        models: the data.
        verbose: whether all calls of a long model are listed.
    """
    return [part for model in models for part in _paragraphs(model, verbose=verbose)]


def models_in(graph: Graph, name: str = "") -> Iterator[tuple[str, Graph]]:
    """Yield a model and the models in it, each with the names of the layers around it, joined by slashes."""
    yield name, graph
    for layer in graph.layers.values():
        inner = innermost(layer)
        if inner.graph is not None:
            yield from models_in(inner.graph, f"{name}/{layer.name}".lstrip("/"))


def innermost(layer: Layer) -> Layer:
    """Return the layer that wrappers apply, or the layer itself if it is no wrapper."""
    while layer.inner is not None:
        layer = layer.inner
    return layer


def kind_text(layer: Layer) -> str:
    """Return the class of a layer with those of what it applies: "TimeDistributed of Dense"."""
    kinds = [layer.kind]
    while layer.inner is not None:
        layer = layer.inner
        kinds.append(layer.kind)
    return " of ".join(kinds)


def tensor_text(tensor: Tensor, graph: Graph) -> str:
    """Return a tensor as text: the layer's name, with the call and the result if there are several."""
    calls = graph.calls_of(tensor.layer)
    call = f" (call {tensor.call + 1})" if len(calls) > 1 else ""
    several = any(each.number == tensor.call and each.outputs > 1 for each in calls)
    return f"{tensor.layer}{call}{f'[{tensor.output}]' if several else ''}"


def mask_text(mask: Mask | None, graph: Graph) -> str:
    """Return where a mask comes from; "" for none."""
    if mask is None:
        return ""
    if isinstance(mask, MadeMask):
        return f"of {tensor_text(made_by(mask, graph), graph)}"
    if isinstance(mask, GivenMask):
        return tensor_text(mask.tensor, graph)
    if isinstance(mask, ArrivingMask):
        return f"of the call, with {tensor_text(mask.read, graph)}"
    if isinstance(mask, MergedMask):
        parts = [mask_text(each, graph) or "none" for each in mask.masks]
        joined = {"joined": ", then ", "and": " and ", "or": " or "}
        return f"any {parts[0]}" if mask.how == "any" else joined[mask.how].join(parts)
    return f"from inside {tensor_text(mask.tensor, graph)}"


def made_by(mask: MadeMask, graph: Graph) -> Tensor:
    """Return the result of the call that makes a mask."""
    calls = graph.calls_of(mask.layer)
    return next((each.results[0] for each in calls if mask.read in each.reads), Tensor(mask.layer))


def _model(name: str, graph: Graph) -> dict[str, Any]:
    return {
        "name": name,
        "kind": graph.kind,
        "inputs": [_tensor(each, graph) for each in graph.inputs],
        "calls": [_call(call, graph) for call in graph.calls],
        "outputs": [_tensor(each, graph) for each in graph.outputs],
    }


def _tensor(tensor: Tensor, graph: Graph) -> dict[str, Any]:
    shape = graph.shapes.get(tensor)
    return {"tensor": tensor_text(tensor, graph), "shape": None if shape is None else list(shape)}


def _call(call: Call, graph: Graph) -> dict[str, Any]:
    layer = graph.layers[call.layer]
    masks = [mask_text(mask, graph) for mask in call.masks]
    further = {name: _value(value, graph) for name, value in call.kwargs.items() if name != "initial_state"}
    constants = [_value(value, graph) for value in call.args[1:] if not any(tensors_in(value))] if layer.is_operation else []
    return {
        "layer": call.layer,
        "call": call.number,
        "kind": kind_text(layer),
        "reads": [tensor_text(each, graph) for each in tensors_in(call.args)],
        "constants": constants,
        "states": [tensor_text(each, graph) for each in tensors_in(call.kwargs.get("initial_state"))],
        "arguments": further,
        "masks": masks if any(masks) else [],
        "shapes": [list(graph.shapes[each]) if each in graph.shapes else None for each in call.results],
        "gap": layer.gap,
    }


def _value(value: Value, graph: Graph) -> str:
    """Return an argument as text."""
    if isinstance(value, Tensor):
        return tensor_text(value, graph)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_value(each, graph) for each in value)}]"
    if isinstance(value, slice):
        return ":".join("" if each is None else str(each) for each in (value.start, value.stop))
    return shortened(str(value), 40)


def _paragraphs(model: Mapping[str, Any], *, verbose: bool) -> Iterator[str]:
    inputs, outputs = (", ".join(map(_with_shape, model[each])) for each in ("inputs", "outputs"))
    where = f"In {model['name']}, what feeds what" if model["name"] else "What feeds what"
    yield printable(f"{where}: from {shortened(inputs, 200)} to {shortened(outputs, 200)}")
    calls = list(model["calls"])
    left = len(calls) - 2 * _ENDS
    folded = not verbose and len(calls) > _LISTED
    rows = [_row(call) for call in (calls[:_ENDS] + calls[-_ENDS:] if folded else calls)]
    if folded:
        rows.insert(_ENDS, (f"... {left} more", "", "--verbose lists them", "", ""))
    yield table(("layer", "is", "reads", "states and arguments", "mask"), rows)


def _with_shape(described: Mapping[str, Any]) -> str:
    shape = described["shape"]
    return str(described["tensor"]) + (
        "" if shape is None else f" ({', '.join('any' if size is None else str(size) for size in shape)})"
    )


def _row(call: Mapping[str, Any]) -> tuple[str, ...]:
    name = f"{call['layer']} (call {call['call'] + 1})" if call["call"] else call["layer"]
    states = [f"states {', '.join(call['states'])}"] if call["states"] else []
    arguments = [f"{name}={value}" for name, value in call["arguments"].items()]
    masks = list(dict.fromkeys(each for each in call["masks"] if each))
    reads = ", ".join([*call["reads"], *call["constants"]])
    gap = " (gap)" if call["gap"] else ""
    return f"{name}", f"{call['kind']}{gap}", reads, "; ".join([*states, *arguments]) or "-", ", ".join(masks) or "-"
