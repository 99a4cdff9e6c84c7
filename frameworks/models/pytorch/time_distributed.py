"""TimeDistributed: a layer applied to each time step."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

from frameworks.models.graph import Graph, Layer, Shape, Tensor, tensors_in
from frameworks.models.pytorch.pieces import Name, Piece, Site, Statements

_STEP = "folded"


def of_a_step(layer: Layer, graph: Graph) -> Graph:
    """Return the graph in which the inner layer is called: with what a single time step holds.

    Args:
        layer: the layer that wraps another one.
        graph: the graph in which it is called.
    """
    inner = layer.inner
    assert inner is not None
    calls = tuple(
        replace(call, layer=inner.name, masks=(None,) * len(call.masks)) for call in graph.calls if call.layer == layer.name
    )
    shapes: dict[Tensor, Shape] = {}
    for call in graph.calls_of(layer.name):
        for each in tensors_in(call.args):
            shapes |= _step(each, graph.shapes.get(each))
        for each in call.results:
            shapes |= _step(replace(each, layer=inner.name), graph.shapes.get(each))
    return replace(graph, layers={inner.name: inner}, calls=calls, shapes=shapes, masks={})


def _step(tensor: Tensor, shape: Shape | None) -> dict[Tensor, Shape]:
    return {} if shape is None else {tensor: (None, *shape[2:])}


def time_distributed(inner: Piece, name: str, graph: Graph) -> Piece:
    """Return the inner layer's piece, called with time folded into the batch axis.

    Args:
        inner: the piece of the layer that is applied.
        name: its name.
        graph: the graph of `of_a_step`.
    """

    def call(site: Site) -> str | Statements:
        if inner.any_rank:
            return inner.call(replace(site, masks=(None,) * len(site.masks)))
        (x,) = site.args
        within = replace(
            site,
            graph=graph,
            call=replace(site.call, layer=name, masks=(None,) * len(site.call.masks)),
            args=(Name(_STEP),),
            masks=(None,) * len(site.masks),
            shapes=tuple(None if each is None else (None, *each[2:]) for each in site.shapes),
            result_shapes=tuple(None if each is None else (None, *each[2:]) for each in site.result_shapes),
            names=(Name(_STEP),),
        )
        made, sizes = inner.call(within), f"{x}.shape[:2]"
        if isinstance(made, str) and len(re.findall(rf"\b{_STEP}\b", made)) == 1:
            value = re.sub(rf"\b{_STEP}\b", f"{x}.flatten(0, 1)", made)
            return f"{_closed(value)}.unflatten(0, {sizes})"
        step = site.free(_STEP)
        within = replace(within, args=(Name(step),), names=(Name(step),))
        made = inner.call(within)
        lines, value = (made.lines, made.results[0]) if isinstance(made, Statements) else ((), made)
        return Statements((f"{step} = {x}.flatten(0, 1)", *lines), (f"{_closed(value)}.unflatten(0, {sizes})",))

    how = inner.how if inner.any_rank else f"{inner.how}; time is folded into the batch axis around it"
    return replace(inner, call=call, how=how, mask=None)


def _closed(value: str) -> str:
    """Return an expression that an attribute can follow."""
    node = ast.parse(value, mode="eval").body
    return value if isinstance(node, (ast.Name, ast.Call, ast.Attribute, ast.Subscript)) else f"({value})"
