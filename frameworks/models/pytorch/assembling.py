"""Assembling the parts of a source: the piece of each layer, and the names of classes and modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from frameworks.errors import InvalidValueError, NoCounterpartError
from frameworks.escaping import printable
from frameworks.models.graph import Graph, Layer, Tensor, tensors_in
from frameworks.models.pytorch.gaps import gap_piece, reason
from frameworks.models.pytorch.masks import Masks
from frameworks.models.pytorch.misfits import refusing_misfits
from frameworks.models.pytorch.names import MODULE_ATTRIBUTES, MODULE_NAMES, Names, class_name
from frameworks.models.pytorch.parts import Part, in_training, masks_of, nested_piece, settle
from frameworks.models.pytorch.pieces import Helper, Piece, Target, Writer
from frameworks.models.pytorch.time_distributed import of_a_step, refuse_kept_states, time_distributed


@dataclass(frozen=True)
class Assembling:
    """What the parts of one source are made with.

    Args:
        target: what the source is written for.
        writers: the writers of all kinds.
        classes: the names of classes.
    """

    target: Target
    writers: Mapping[str, Writer]
    classes: Names

    def part(self, graph: Graph, arriving: Iterable[Tensor] = ()) -> Part:
        """Return the part of a graph, with those of the models in it."""
        part = Part(graph, self.classes.free(class_name(graph.name), "Model"), Masks(graph, frozenset(arriving)))
        attributes = Names(MODULE_ATTRIBUTES)
        called = dict.fromkeys(call.layer for call in graph.calls)
        for name in called:
            part.attributes[name] = attributes.free(name, graph.layers[name].kind.lower())
        for name in called:
            layer = graph.layers[name]
            part.pieces[name] = self._piece(part, layer, graph)
            if reason(layer, self.writers) and part.pieces[name].arrays:
                part.weights[name] = attributes.free(f"{part.attributes[name]}_weights")
        return part

    def _piece(self, part: Part, layer: Layer, graph: Graph, within: Layer | None = None) -> Piece:
        outer = within or layer
        if why := reason(outer, self.writers):
            return gap_piece(outer, why)
        if layer.inner is not None and layer.kind == "TimeDistributed":
            refuse_kept_states(layer)
            step = of_a_step(layer, layer.inner, graph, part.masks)
            return time_distributed(self._piece(part, layer.inner, step, outer), layer.inner.name, step)
        if layer.graph is not None:
            inside = _nested_graph(layer, layer.graph, graph)
            part.nested[outer.name] = self.part(inside, _arriving(part, layer, inside, graph))
            return nested_piece(part.nested[outer.name])
        try:
            with refusing_misfits(outer):
                return self.writers[layer.kind](layer, graph, self.target)
        except NoCounterpartError as error:
            raise NoCounterpartError(_about(outer, str(error))) from error


def assemble(graph: Graph, target: Target, writers: Mapping[str, Writer]) -> Part:
    """Return the part of a graph and all of its nested models, with the masks and calls that each needs.

    Raises:
        NoCounterpartError: for a layer with an option that the source cannot carry, by its name.
    """
    reserved = MODULE_NAMES
    while True:
        classes = Names(reserved)
        part = Assembling(target, writers, classes).part(graph)
        taken = {each.name for each in helpers_of(part)} - reserved
        if not taken & {each.name for each in part.everything()}:
            settle(part)
            return part
        reserved |= taken


def helpers_of(part: Part) -> list[Helper]:
    """Return the functions and classes that the pieces use, each once, after those that it needs."""
    found: dict[str, Helper] = {}

    def add(helper: Helper) -> None:
        for each in helper.needs:
            add(each)
        known = found.setdefault(helper.name, helper)
        if known.code != helper.code:
            general = known.general or known
            if (helper.general or helper).code != general.code:
                raise AssertionError(f"two helpers of the source are called {helper.name}")
            found[helper.name] = general

    for each in part.everything():
        for name in dict.fromkeys(use.call.layer for use in each.uses) if each.uses else each.pieces:
            for helper in each.pieces[name].helpers:
                add(helper)
    return list(found.values())


def _nested_graph(layer: Layer, inside: Graph, graph: Graph) -> Graph:
    """Return the graph inside a nested model as its calls run it."""
    active = {call.kwargs.get("training") is True for call in graph.calls_of(layer.name)}
    if active == {True, False}:
        raise InvalidValueError.because(
            f"the nested model {layer.name!r}",
            must="be called with training=True in all of its calls or in none",
            but="is called in both ways",
            remedy="Save the model with two copies of it.",
        )
    inside = replace(inside, version=graph.version)
    return in_training(inside) if active == {True} else inside


def _arriving(part: Part, layer: Layer, inside: Graph, graph: Graph) -> Iterator[Tensor]:
    """Yield the inputs of a nested model that come with a mask in some call."""
    for call in graph.calls_of(layer.name):
        flat = list(tensors_in(call.args))
        for read, mask in zip(inside.inputs[: len(flat)], masks_of(call), strict=False):
            if part.masks.resolved(mask) is not None:
                yield read


def _about(layer: Layer, message: str) -> str:
    name = printable(layer.name)
    return message if name in message else f"{name}: {message}"
