"""`infer_shapes`: the shape of every tensor of a graph, from those of its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import zip_longest
from types import MappingProxyType
from typing import Any

from frameworks.errors import GatewiseError, InvalidValueError
from frameworks.kinds import kind_of, options_of
from frameworks.models.graph import Call, Graph, Layer, Shape, Tensor, replaced, tensors_in
from frameworks.models.reading.shapes import layers, recurrent, windows
from frameworks.models.reading.shapes.operations import OPERATIONS
from frameworks.models.reading.shapes.seen import ContradictionError, Known, Rule, Seen, UnknownShapeError

RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "same": layers.same,
        "dense": layers.dense,
        "embedding": layers.embedding,
        "normalising": layers.normalising,
        "merging": layers.merging,
        "concatenate": layers.concatenate,
        "dot": layers.dot,
        "attention": layers.attention,
        "heads": layers.heads,
        "reshape": layers.reshape,
        "flatten": layers.flatten,
        "permute": layers.permute,
        "repeat": layers.repeat,
        "convolution": windows.convolution,
        "depthwise convolution": windows.depthwise,
        "transposed convolution": windows.transposed,
        "pooling": windows.pooling,
        "global pooling": windows.global_pooling,
        "adaptive pooling": windows.adaptive_pooling,
        "padding": windows.padding,
        "cropping": windows.cropping,
        "upsampling": windows.upsampling,
        "recurrent": recurrent.recurrent,
        "bidirectional": recurrent.bidirectional,
        "time distributed": recurrent.time_distributed,
    }
)
"""The rules by their names in the records of `frameworks.kinds`."""


_MOST_GRAPHS = 1000
"""How many times nested models are followed: beyond, as in a file that nests calls exponentially, shapes stay unknown."""


def infer_shapes(graph: Graph, inputs: Sequence[Shape | None] = ()) -> Mapping[Tensor, Shape]:
    """Return the shape of every tensor of a graph; a tensor whose shape cannot be inferred is missing.

    Args:
        graph: the graph. The tensors of nested graphs are not among the results: see `with_shapes`.
        inputs: the shapes of the inputs in a call of the model; None, or none at all, for what the graph states.

    Raises:
        InvalidValueError: for shapes that do not fit together.
    """
    return with_shapes(graph, inputs).shapes


def with_shapes(graph: Graph, inputs: Sequence[Shape | None] = ()) -> Graph:
    """Return a graph with its shapes filled in, and with those of the graphs of nested models.

    Where a nested model does not state the shapes of its inputs, those of its calls count.

    Args:
        graph: the graph.
        inputs: the shapes of the inputs in a call of the model; None, or none at all, for what the graph states.

    Raises:
        InvalidValueError: for shapes that do not fit together.
    """
    return _Inference().of_graph(graph, inputs)


class _Inference:
    """The inference of one model's shapes: each nested model is followed once for all calls on tensors of the same shapes."""

    def __init__(self) -> None:
        """Begin without any nested model."""
        self._done: dict[tuple[int, tuple[Shape | None, ...]], Graph] = {}

    def of_graph(self, graph: Graph, inputs: Sequence[Shape | None]) -> Graph:
        """Return a graph, called with inputs of these shapes, with its shapes filled in."""
        key = id(graph), tuple(inputs)
        if key not in self._done:
            if len(self._done) >= _MOST_GRAPHS:
                raise UnknownShapeError
            self._done[key] = self._filled(graph, inputs)
        return self._done[key]

    def _filled(self, graph: Graph, inputs: Sequence[Shape | None]) -> Graph:
        shapes: dict[Tensor, Shape] = {}
        for tensor, given in zip_longest(graph.inputs, inputs[: len(graph.inputs)]):
            shape = _met(_stated(graph, tensor), given)
            if shape is not None:
                shapes[tensor] = shape
        read: dict[str, list[list[Shape | None]]] = {}
        for call in graph.calls:
            layer = graph.layers[call.layer]
            read.setdefault(layer.name, []).append([shapes.get(each) for each in tensors_in(call.args)])
            results = self._results(layer, call, shapes, graph.version)
            shapes.update({tensor: shape for tensor, shape in zip(call.results, results, strict=False) if shape is not None})
        layers = {
            name: self._completed(layer, [_shared(each) for each in zip(*read.get(name, []), strict=False)])
            for name, layer in graph.layers.items()
        }
        return replace(graph, shapes=MappingProxyType(shapes), layers=MappingProxyType(layers))

    def _completed(self, layer: Layer, shapes: Sequence[Shape | None]) -> Layer:
        """Return a layer whose nested model, also within wrappers, has its shapes."""
        if layer.graph is not None:
            with suppress(UnknownShapeError):
                return replace(layer, graph=self.of_graph(layer.graph, shapes))
        elif layer.inner is not None:
            steps = [None if each is None else (each[0], *each[2:]) for each in shapes]
            inner = self._completed(layer.inner, steps)
            return layer if inner is layer.inner else replace(layer, inner=inner)
        return layer

    def _results(
        self, layer: Layer, call: Call, shapes: Mapping[Tensor, Shape], version: tuple[int, ...]
    ) -> Sequence[Shape | None]:
        """Return the shape of each result of a call, or () if they cannot be inferred."""
        seen = {each: Known(shapes.get(each)) for each in tensors_in((call.args, dict(call.kwargs)))}
        values = (replaced(tuple(call.args), seen), replaced(dict(call.kwargs), seen))
        try:
            return self._by_rule(layer, call, [shapes.get(each) for each in tensors_in(call.args)], values, version)
        except ContradictionError as error:
            raise _contradiction(layer, call, shapes, str(error)) from None

    def _by_rule(
        self,
        layer: Layer,
        call: Call,
        shapes: Sequence[Shape | None],
        values: tuple[tuple[Any, ...], Mapping[str, Any]],
        version: tuple[int, ...],
    ) -> Sequence[Shape | None]:
        """Return the shape of each result of a layer, or () if they cannot be inferred."""
        if layer.graph is not None:
            with suppress(UnknownShapeError):
                graph = self.of_graph(layer.graph, shapes)
                return [graph.shapes.get(each) for each in graph.outputs]
            return ()
        kind = kind_of(layer.kind)
        rule = OPERATIONS.get(layer.kind.removeprefix("ops.")) if layer.is_operation else RULES.get(kind.shape)
        if rule is None or layer.gap:
            return ()

        def within(inner: Layer, read: Sequence[Shape | None]) -> Sequence[Shape | None]:
            given: tuple[tuple[Any, ...], Mapping[str, Any]] = (tuple(map(Known, read)), {})
            return self._by_rule(inner, replace(call, kwargs={}, outputs=8), read, given, version)

        try:
            options = {} if layer.is_operation else options_of(layer.kind, layer.config, version)
            return rule(Seen(layer, kind, options, call, tuple(shapes), values, within))
        except ContradictionError:
            raise
        except (UnknownShapeError, GatewiseError, TypeError, ValueError, LookupError, OverflowError):
            return ()  # an option that is missing, unknown, or of a wrong type: whoever ports the layer names it


def _stated(graph: Graph, tensor: Tensor) -> Shape | None:
    """Return the shape that a graph states of one of its inputs."""
    if tensor in graph.shapes:
        return graph.shapes[tensor]
    config = graph.layers[tensor.layer].config if tensor.layer in graph.layers else {}
    shape = next((config[name] for name in ("batch_shape", "batch_input_shape") if config.get(name) is not None), None)
    if isinstance(shape, (list, tuple)) and all(size is None or type(size) is int for size in shape):
        return tuple(shape)
    return None


def _met(stated: Shape | None, given: Shape | None) -> Shape | None:
    """Return the shape of an input, known from its statement or from a call."""
    if stated is None or given is None or len(stated) != len(given):
        return given if stated is None else stated
    return tuple(one if other is None else other for one, other in zip(stated, given, strict=True))


def _shared(shapes: Sequence[Shape | None]) -> Shape | None:
    """Return what the shapes of one input have in common in all calls; None for an axis along which they differ."""
    first, *others = shapes
    if first is None or any(each is None or len(each) != len(first) for each in others):
        return None
    return tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*(each for each in shapes if each), strict=True))


def _contradiction(layer: Layer, call: Call, shapes: Mapping[Tensor, Shape], must: str) -> InvalidValueError:
    read = ", ".join(f"{each.layer} of shape {shapes[each]}" for each in call.reads if each in shapes)
    return InvalidValueError.because(
        f"what {layer.name}, a {layer.kind}, reads",
        must=must,
        but=f"is {read}",
        remedy="Its architecture and its weights are of different models, or the architecture was changed.",
    )
