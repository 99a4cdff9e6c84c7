"""TimeDistributed: a layer applied to each time step."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from frameworks.errors import NoCounterpartError
from frameworks.models.graph import Graph, Layer, Mask, Shape, Tensor, tensors_in
from frameworks.models.pytorch.masks import Masks
from frameworks.models.pytorch.pieces import Name, Piece, Site, Statements

_STEP = "folded"


def of_a_step(layer: Layer, inner: Layer, graph: Graph, masks: Masks) -> Graph:
    """Return the graph in which the inner layer is called: with what a single time step holds.

    Args:
        layer: the layer that wraps another one.
        inner: the other one.
        graph: the graph in which it is called.
        masks: the masks of the model.
    """
    calls = tuple(
        replace(call, layer=inner.name, masks=tuple(each if _has_steps(each, masks) else None for each in call.masks))
        for call in graph.calls_of(layer.name)
    )
    shapes: dict[Tensor, Shape] = {}
    for call in graph.calls_of(layer.name):
        for each in tensors_in(call.args):
            shapes |= _step(each, graph.shapes.get(each))
        for each in call.results:
            shapes |= _step(replace(each, layer=inner.name), graph.shapes.get(each))
    return replace(graph, layers={inner.name: inner}, calls=calls, shapes=shapes, masks={})


def refuse_kept_states(layer: Layer) -> None:
    """Raise an error for a layer that keeps its states, which versions of Keras pass on between time steps differently.

    Raises:
        NoCounterpartError: naming the option.
    """
    if layer.keeps_states:
        raise NoCounterpartError.because(
            f"the layer in TimeDistributed {layer.name!r}",
            must="not keep states from one call to the next",
            but="has stateful=True, and what becomes of its states between time steps differs between versions of Keras",
            remedy="Save the model with stateful=False in that layer, which then begins each time step without states.",
        )


def _has_steps(mask: Mask | None, masks: Masks) -> bool:
    """Return whether a mask says more of a time step than that it is masked, which no layer of a single step asks."""
    known = masks.resolved(mask)
    return known is not None and masks.rank(known) > 2


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
            return inner.call(site)
        (x,) = site.args
        step = next(each for each in graph.calls_of(name) if each.number == site.call.number)
        within = replace(
            site,
            graph=graph,
            call=step,
            args=(Name(_STEP),),
            masks=_Folded(step.masks, site.masks),
            shapes=tuple(None if each is None else (None, *each[2:]) for each in site.shapes),
            result_shapes=tuple(None if each is None else (None, *each[2:]) for each in site.result_shapes),
            names=(Name(_STEP),),
        )
        made, sizes = inner.call(within), f"{x}.shape[:2]"
        if isinstance(made, str) and len(re.findall(rf"\b{_STEP}\b", made)) == 1:
            value = re.sub(rf"\b{_STEP}\b", f"{x}.flatten(0, 1)", made)
            return f"{_closed(value)}.unflatten(0, {sizes})"
        folded = Name(site.free(_STEP))
        made = inner.call(replace(within, args=(folded,), names=(folded,)))
        lines, value = (made.lines, made.results[0]) if isinstance(made, Statements) else ((), made)
        return Statements((f"{folded} = {x}.flatten(0, 1)", *lines), (f"{_closed(value)}.unflatten(0, {sizes})",))

    how = f"{inner.how}, {'at each time step' if inner.any_rank else 'with time folded into the batch axis around it'}"
    return replace(inner, call=call, how=how)


class _Folded(Sequence["str | None"]):
    """The masks of what is folded, asked for only where a piece takes them."""

    def __init__(self, known: Sequence[Mask | None], masks: Sequence[str | None]) -> None:
        self.known, self.masks = known, masks

    def __len__(self) -> int:
        return len(self.known)

    def __getitem__(self, at: Any) -> Any:
        return None if self.known[at] is None else Name(f"{self.masks[at]}.flatten(0, 1)")


def _closed(value: str) -> str:
    """Return an expression that an attribute can follow."""
    node = ast.parse(value, mode="eval").body
    return value if isinstance(node, (ast.Name, ast.Call, ast.Attribute, ast.Subscript)) else f"({value})"
