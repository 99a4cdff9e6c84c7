"""Parts: a class of the source for the model and for each nested one, and what its `forward` needs to compute."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from frameworks.models.graph import ArrivingMask, Call, Graph, Mask, ReturnedMask, Shape, Tensor, replaced, tensors_in
from frameworks.models.pytorch.dtypes import FLOATING, casts_whole_numbers, is_cut, numbers_in
from frameworks.models.pytorch.masks import Masks, reads_of, with_parts, without_mask
from frameworks.models.pytorch.misfits import refusing_misfits, require_tensors
from frameworks.models.pytorch.pieces import Name, Piece, Site, Statements


@dataclass(frozen=True, eq=False)
class Use:
    """A call that `forward` makes.

    Args:
        call: the call.
        masks: the masks that its piece takes.
        same_as: the tensor that its result is, if the call changes nothing.
    """

    call: Call
    masks: tuple[Mask, ...] = ()
    same_as: Tensor | None = None


@dataclass(eq=False)
class Part:
    """A class of the source.

    Args:
        graph: the graph that it computes.
        name: the name of the class.
        masks: the masks of the graph.
        nested: the parts of nested models, by the names of their layers.
        pieces: what each layer becomes, by name.
        attributes: the names of the modules and methods, by layer.
        weights: the names of the modules that hold the arrays of gaps, by layer.
        arriving: the inputs whose masks `forward` has as arguments.
        returned: the outputs, by index, whose masks `forward` returns.
        uses: the calls that `forward` makes, in their order.
    """

    graph: Graph
    name: str
    masks: Masks
    nested: dict[str, Part] = field(default_factory=dict)
    pieces: dict[str, Piece] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    weights: dict[str, str] = field(default_factory=dict)
    arriving: dict[Tensor, None] = field(default_factory=dict)
    returned: dict[int, Mask] = field(default_factory=dict)
    uses: list[Use] = field(default_factory=list)

    def everything(self) -> Iterator[Part]:
        """Yield the part and those of nested models, each before its own."""
        yield self
        for part in self.nested.values():
            yield from part.everything()

    @property
    def has_weights(self) -> bool:
        """Whether it has arrays, also in nested models."""
        called = {use.call.layer for use in self.uses}
        return any(self.pieces[name].arrays or (name in self.nested and self.nested[name].has_weights) for name in called)

    def return_mask(self, output: int) -> None:
        """Let `forward` return the mask of an output, too."""
        mask = self.masks.resolved(self.graph.masks.get(self.graph.outputs[output]))
        if mask is not None:
            self.returned[output] = mask

    def site(self, call: Call, names: Any, masks: Sequence[str | None], results: tuple[str | None, ...], free: Any) -> Site:
        """Return the site of a call, given the names of tensors, of masks and of results."""
        shapes: list[Shape | None] = [self.graph.shapes.get(each) for each in tensors_in(call.args)]
        return Site(
            call,
            self.graph,
            f"self.{self.attributes[call.layer]}",
            replaced(call.args, _floating(self.graph, call, names)),
            replaced(dict(call.kwargs), names),
            masks,
            tuple(shapes),
            results,
            tuple(self.graph.shapes.get(each) for each in call.results),
            free,
        )


def _floating(graph: Graph, call: Call, names: Any) -> Any:
    """Return the names of what a call reads, cast where a layer computes with whole numbers, as Keras does."""
    if not casts_whole_numbers(graph.layers[call.layer]):
        return names
    whole = numbers_in(graph)
    if is_cut(graph.layers[call.layer]) and not whole.keys().isdisjoint(tensors_in(call.args)):
        raise TypeError("it reads whole numbers, and Keras cuts what it normalises to whole numbers")
    return {each: Name(f"{names[each]}.to({FLOATING})") if each in whole else names[each] for each in tensors_in(call.args)}


def settle(root: Part) -> None:
    """Find the calls and the masks that each part needs: what enters and leaves nested models depends on both sides."""
    parts = list(root.everything())
    before: list[tuple[int, int]] = []
    while (now := [(len(part.arriving), len(part.returned)) for part in parts]) != before:
        before = now
        for part in parts:
            _Tracing(part).run()


class _Asked(Sequence["str | None"]):
    """Masks that note which of them are asked for."""

    def __init__(self, masks: Sequence[Mask | None]) -> None:
        self.masks, self.asked = masks, dict[int, Mask]()

    def __len__(self) -> int:
        return len(self.masks)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(len(self)))]
        mask = self.masks[at]
        if mask is None:
            return None
        self.asked[id(mask)] = mask
        return Name(f"mask_{at}")


class _Tracing:
    """One pass through the calls of a part, from the last to the first."""

    def __init__(self, part: Part) -> None:
        self.part, self.needed = part, set(part.graph.outputs)
        self.names = _Placeholders()

    def run(self) -> None:
        for mask in self.part.returned.values():
            self._need(mask)
        uses = [use for call in reversed(self.part.graph.calls) if (use := self._use(call)) is not None]
        self.part.uses = uses[::-1]

    def _use(self, call: Call) -> Use | None:
        if not self.needed.intersection(call.results):
            return None
        part = self.part
        asked = _Asked([part.masks.resolved(mask) for mask in masks_of(call)])
        results: tuple[str | None, ...] = tuple(self.names[each] if each in self.needed else None for each in call.results)
        if call.layer in part.nested:
            results += ("mask",) * len(part.nested[call.layer].returned)
        with refusing_misfits(part.graph.layers[call.layer]):
            require_tensors(part.graph.layers[call.layer], call)
            made = part.pieces[call.layer].call(part.site(call, self.names, asked, results, str))
        self.needed.update(call.reads)
        for mask in asked.asked.values():
            self._need(mask)
        same = [each for each in call.reads if made == self.names[each]]
        return Use(call, tuple(asked.asked.values()), same[0] if same else None)

    def _need(self, mask: Mask) -> None:
        for each in with_parts(mask):
            self.needed.update(reads_of(each))
            if isinstance(each, ArrivingMask):
                self.part.arriving[each.read] = None
            elif isinstance(each, ReturnedMask):
                self.needed.add(each.tensor)
                self.part.nested[each.tensor.layer].return_mask(each.tensor.output)


class _Placeholders(dict[Tensor, Name]):
    """Names of tensors before they have names."""

    def __missing__(self, tensor: Tensor) -> Name:
        self[tensor] = Name(f"tensor_{len(self)}")
        return self[tensor]


def nested_piece(part: Part) -> Piece:
    """Return what the layer of a nested model becomes; the masks that its part needs are further arguments and results."""

    def call(site: Site) -> str | Statements:
        inputs = list(tensors_in_names(site.args))
        masks = [
            site.masks[at] or without_mask(inputs[at]) for at, read in enumerate(part.graph.inputs) if read in part.arriving
        ]
        value = f"{site.module}({', '.join([*inputs, *masks])})"
        if len(site.names) == 1:
            return value
        names = [name or "_" for name in site.names]
        return Statements((f"{', '.join(names)} = {value}",), tuple(names[: len(site.call.results)]))

    return Piece(call, f"{part.name}()", how=f"a class of its own, {part.name}")


def tensors_in_names(value: Any) -> Iterator[str]:
    """Yield the names of tensors in an argument, in order."""
    if isinstance(value, Name):
        yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from tensors_in_names(each)


def masks_of(call: Call) -> list[Mask | None]:
    """Return the mask of each tensor in the arguments of a call."""
    tensors = sum(1 for _ in tensors_in(call.args))
    return [*call.masks, *(None,) * tensors][:tensors]


def in_training(graph: Graph) -> Graph:
    """Return the graph of a nested model that is called with `training=True`, which holds for all calls in it.

    In Keras 2 a call that states `training=False` keeps it; in files of Keras 3 this is written of itself, and means nothing.
    """
    keeps = graph.version < (3,)
    calls = tuple(
        replace(call, kwargs={"training": True, **call.kwargs} if keeps else {**call.kwargs, "training": True})
        for call in graph.calls
    )
    return replace(graph, calls=calls)
