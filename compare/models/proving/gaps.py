"""Gaps of a port: their results are recorded or drawn, so that the layers before and after them can be compared."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import numpy.typing as npt

from compare.models.recording.recorded import Recording
from frameworks.errors import NoCounterpartError
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.models.graph import Call, Graph, Layer, Shape, Tensor, replaced, tensors_in
from frameworks.models.source import Gap

Array = npt.NDArray[Any]
Results = Mapping[str, Sequence[tuple[Array, ...]]]
"""By the name of a gap's layer, the results of each of its calls."""


def with_gaps(graph: Graph, gaps: Sequence[Gap]) -> Graph:
    """Return a graph in which also the layers are gaps that a source could not write."""
    why = {gap.layer: gap.why for gap in gaps}
    layers = {name: replace(layer, gap=layer.gap or why.get(name, "")) for name, layer in graph.layers.items()}
    return replace(graph, layers=layers)


def with_shapes_of_gaps(graph: Graph) -> Graph:
    """Return a graph with shapes for the results of gaps: as a reader's weights or the config's units suggest, or assumed."""
    shapes = dict(graph.shapes)
    for gap in gap_calls(graph):
        for tensor in gap.results:
            found = shapes.get(tensor) or _shape_read(graph, tensor) or _shape_by_units(graph, gap)
            if found is not None:
                shapes[tensor] = found
    return replace(graph, shapes={**shapes, **assumed_shapes(graph)})


def assumed_shapes(graph: Graph) -> dict[Tensor, Shape]:
    """Return the shapes of gaps' results that nothing states: that of what a gap reads, as wide as a Dense reads it."""
    found: dict[Tensor, Shape] = {}
    for gap in gap_calls(graph):
        read = graph.shapes.get(gap.reads[0]) if gap.reads and gap.outputs == 1 else None
        if not read or _shape_by_units(graph, gap) is not None:
            continue
        for tensor in gap.results:
            if tensor not in graph.shapes and _shape_read(graph, tensor) is None:
                found[tensor] = (*read[:-1], _width_read(graph, tensor) or read[-1])
    return found


def _width_read(graph: Graph, tensor: Tensor) -> int | None:
    """Return how wide the kernel of a Dense layer is that reads a tensor, or None."""
    for call in graph.calls:
        layer = graph.layers[call.layer]
        if tensor in call.reads[:1] and layer.kind == "Dense" and isinstance(layer.stored, OtherLayer):
            return int(layer.stored.stored["kernel"].shape[0])
    return None


def _shape_read(graph: Graph, tensor: Tensor) -> Shape | None:
    for call in graph.calls:
        stored = graph.layers[call.layer].stored
        if tensor in call.reads[:1] and isinstance(stored, StoredLayer):
            return (None, None, stored.spec.input_size)
    return None


def _shape_by_units(graph: Graph, gap: Call) -> Shape | None:
    config = graph.layers[gap.layer].config
    units, read = config.get("units"), graph.shapes.get(gap.reads[0]) if gap.reads else None
    if not isinstance(units, int) or not read or gap.outputs != 1:
        return None
    return (*(read[:-1] if config.get("return_sequences", True) else read[:1]), units)


def cut_at_gaps(graph: Graph) -> Graph:
    """Return a graph in which the results of gaps are further inputs, and what gaps read are further outputs.

    If the shape of a gap's result is not known, the graph ends before that gap.

    Raises:
        NoCounterpartError: for a gap in a nested model or a wrapper.
    """
    if inside := [layer.name for layer in graph.gaps if graph.layers.get(layer.name) is not layer]:
        raise NoCounterpartError.because(
            f"the layer {inside[0]!r} in another layer",
            must="be one of Keras's for the layers around it to be compared",
            but="is not",
            remedy="Name a Python file that makes the model with that layer: FILE.py:NAME in place of the file.",
        )
    calls = gap_calls(graph)
    if not calls:
        return graph
    if (unknown := _without_shape(graph)) is not None:
        return _up_to(graph, unknown.reads)
    results = [tensor for call in calls for tensor in call.results]
    inputs = {tensor: Tensor(f"{tensor.layer}_{tensor.call}_{tensor.output}") for tensor in results}
    layers = {name: layer for name, layer in graph.layers.items() if not layer.gap}
    for tensor, new in inputs.items():
        shape = graph.shapes[tensor]
        layers[new.layer] = Layer(new.layer, "InputLayer", {"name": new.layer, "batch_shape": shape, "dtype": "float32"})
    outputs = [inputs.get(each, each) for each in (*graph.outputs, *(each for call in calls for each in call.reads))]
    return replace(
        graph,
        kind="Functional",
        layers=layers,
        calls=tuple(_reading(call, inputs) for call in graph.calls if call not in calls),
        inputs=(*graph.inputs, *inputs.values()),
        outputs=tuple(outputs),
        single=len(outputs) == 1,
        shapes={inputs.get(tensor, tensor): shape for tensor, shape in graph.shapes.items()},
        dtypes={**graph.dtypes, **dict.fromkeys(inputs.values(), "float32")},
        takes=None,
        returns=None,
    )


def _without_shape(graph: Graph) -> Call | None:
    """Return the first call of a gap whose results have no known shape."""
    return next((call for call in gap_calls(graph) if any(each not in graph.shapes for each in call.results)), None)


def _up_to(graph: Graph, outputs: Sequence[Tensor]) -> Graph:
    """Return the part of a graph that some of its tensors depend on; the inputs stay."""
    wanted, calls = set(outputs), list[Call]()
    for call in reversed(graph.calls):
        if wanted.intersection(call.results):
            wanted.update(call.reads)
            calls.insert(0, call)
    names = {call.layer for call in calls} | {tensor.layer for tensor in graph.inputs}
    return replace(
        graph,
        kind="Functional",
        layers={name: layer for name, layer in graph.layers.items() if name in names},
        calls=tuple(calls),
        outputs=tuple(outputs),
        single=len(outputs) == 1,
        takes=None,
        returns=None,
    )


def gap_calls(graph: Graph) -> list[Call]:
    """Return the calls of the gaps of a graph, in order."""
    return [call for call in graph.calls if graph.layers[call.layer].gap]


def _reading(call: Call, inputs: Mapping[Tensor, Tensor]) -> Call:
    names = {each: inputs.get(each, each) for each in tensors_in((*call.args, dict(call.kwargs)))}
    return replace(call, args=replaced(call.args, names), kwargs=replaced(dict(call.kwargs), names))


def results_in(recording: Recording, gaps: Sequence[Gap]) -> Results:
    """Return what the layers returned in their own model that are gaps of a port."""
    return {
        gap.layer: [call.outputs for call in recording.calls if call.name in (gap.layer, gap.layer.rpartition("/")[2])]
        for gap in gaps
    }


@contextmanager
def filled(port: Any, gaps: Sequence[Gap], results: Results, left: set[str]) -> Iterator[None]:
    """Let the gaps of a port return the results of the original; one that is filled in computes its own.

    Args:
        port: the torch module.
        gaps: its gaps.
        results: the results for each call.
        left: receives the names of the gaps that are not filled in.
    """

    def make(gap: Gap, plain: Any) -> Callable[..., Any]:
        known = iter(results[gap.layer])

        def returned(*arguments: Any, **named: Any) -> Any:
            arrays = next(known, ())
            try:
                return plain(*arguments, **named)
            except NotImplementedError:
                left.add(gap.layer)
                if not arrays:
                    raise
                tensors = tuple(sys.modules["torch"].from_numpy(each.copy()) for each in arrays)
                return tensors[0] if len(tensors) == 1 else tensors

        return returned

    with _replaced(port, gaps, make):
        yield


class _EndError(Exception):
    """Ends a call of a port at a gap behind which nothing can be compared."""


@contextmanager
def opened(port: Any, gaps: Sequence[Gap], graph: Graph) -> Iterator[None]:
    """Let a port be called as the graph of `cut_at_gaps` is.

    Args:
        port: the torch module.
        gaps: its gaps.
        graph: the graph of the model, with gaps.
    """
    calls, end = gap_calls(graph), _without_shape(graph)
    given: dict[str, list[Any]] = {}
    read: dict[str, list[list[Any]]] = {}

    def make(gap: Gap, _: Any) -> Callable[..., Any]:
        def returned(*arguments: Any, **named: Any) -> Any:
            read[gap.layer].append(list(_tensors((*arguments, *named.values()))))
            if end is not None and end.layer == gap.layer and len(read[gap.layer]) > end.number:
                raise _EndError
            results = given[gap.layer].pop(0)
            return results[0] if len(results) == 1 else results

        return returned

    plain = port.forward

    def forward(*arguments: Any) -> Any:
        own, rest = arguments[: len(graph.inputs)], list(arguments[len(graph.inputs) :])
        for call in calls:
            given[call.layer], read[call.layer] = [], []
        if end is not None:
            with suppress(_EndError):
                plain(*own)
            seen = read[end.layer][end.number][: len(end.reads)]
            return seen[0] if len(seen) == 1 else tuple(seen)
        for call in calls:
            given[call.layer].append(tuple(rest.pop(0) for _ in call.results))
        returned = plain(*own)
        seen = [each for call in calls for each in read[call.layer].pop(0)[: len(call.reads)]]
        return (*(returned if isinstance(returned, tuple) else (returned,)), *seen)

    with _replaced(port, gaps, make):
        port.forward = forward
        try:
            yield
        finally:
            del port.forward


@contextmanager
def _replaced(port: Any, gaps: Sequence[Gap], make: Callable[[Gap, Any], Callable[..., Any]]) -> Iterator[None]:
    changed = []
    try:
        for gap in gaps:
            name, _, method = gap.method.rpartition(".")
            owner = next((each for each in port.modules() if type(each).__name__ == name and hasattr(each, method)), None)
            if owner is not None:
                setattr(owner, method, make(gap, getattr(owner, method)))
                changed.append((owner, method))
        yield
    finally:
        for owner, method in changed:
            delattr(owner, method)


def _tensors(value: Any) -> Iterator[Any]:
    if hasattr(value, "detach"):
        yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _tensors(each)
