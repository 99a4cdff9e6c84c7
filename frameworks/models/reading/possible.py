"""Whether the options of a graph's layers have values that Keras's constructors take: a file may state any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from frameworks.errors import InvalidValueError
from frameworks.kinds import KERAS, known_options
from frameworks.kinds.ranges import AXES, numbers_in, out_of_range
from frameworks.models.graph import Call, Graph, Layer, tensors_in
from frameworks.showing import shortened

_INNER = ("layer", "backward_layer", "cell", "cells")
"""The options that hold layers."""

_ADDING = ("ops.expand_dims", "ops.stack")
"""Operations whose axis is one of the result."""


def require_possible(graph: Graph) -> None:
    """Raise an error for an option out of its range, and for an axis that what a layer reads does not have.

    Args:
        graph: a graph with its shapes.

    Raises:
        InvalidValueError: for the first such option.
    """
    for layer in graph.layers.values():
        if layer.gap:
            continue
        if layer.kind in KERAS.kinds:
            for kind, config in _configs(layer.kind, layer.config):
                names = {name: option.name for name, option in known_options(kind).items()}
                for name, value, within in out_of_range(kind, config, names):
                    raise _refused(layer, kind, name, str(within), value)
        nested = layer.core.graph
        if nested is not None:
            require_possible(nested)
    for call in graph.calls:
        _require_axes(graph.layers[call.layer], call, graph)


def _configs(kind: str, config: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the class and the config of a layer, and of those that it holds; nested models have graphs of their own."""
    yield kind, config
    for name in _INNER:
        held = config.get(name)
        entries = held if isinstance(held, (list, tuple)) else [held]
        for each in (each for each in entries if isinstance(each, Mapping)):
            inner, class_name = each.get("config"), str(each.get("class_name"))
            if isinstance(inner, Mapping) and class_name in KERAS.kinds:
                yield from _configs(class_name, inner)


def _require_axes(layer: Layer, call: Call, graph: Graph) -> None:
    core, steps = layer, 0
    while core.inner is not None:
        core, steps = core.inner, steps + 1  # each wrapper takes an axis away
    shapes = [graph.shapes.get(each) for each in tensors_in(call.args)]
    if core.gap or core.graph is not None or not shapes or None in shapes:
        return
    most = max(len(shape) - steps for shape in shapes if shape is not None)
    options = call.kwargs if layer.is_operation else core.config
    for name, value in ((name, options[name]) for name in AXES if name in options):
        axes = [each for each in numbers_in(value) if type(each) is int]
        rank = most + (len(axes) if layer.kind in _ADDING else 0)
        if not all(-rank <= each < rank for each in axes):
            raise _refused(layer, core.kind, name, f"from {-rank} to {rank - 1}, as it reads {most} axes", value)


def _refused(layer: Layer, kind: str, name: str, must: str, value: Any) -> InvalidValueError:
    return InvalidValueError.because(
        f"{name} of {shortened(kind.replace('ops.', 'keras.ops.'), 60)} {shortened(layer.name, 100)!r}",
        must=f"be {must}",
        but=f"is {shortened(str(value), 100)}",
        remedy="Check that the architecture belongs to a model that Keras built.",
    )
