"""Masks in `forward`: which are needed, and the expressions that compute them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace

from frameworks.models.graph import ArrivingMask, GivenMask, Graph, MadeMask, Mask, MergedMask, ReturnedMask, Tensor


class Masks:
    """The masks of one graph, of which equal ones are one object.

    Args:
        graph: the graph.
        arriving: the inputs of the graph that come with a mask in some call.
    """

    def __init__(self, graph: Graph, arriving: Collection[Tensor] = ()) -> None:
        """Begin without masks."""
        self._graph, self._arriving = graph, arriving
        self._seen: dict[int, tuple[Mask, Mask | None]] = {}
        self._canonical: dict[tuple[object, ...], Mask] = {}

    def resolved(self, mask: Mask | None) -> Mask | None:
        """Return a mask as it is in this source, or None where no mask arrives."""
        if mask is None:
            return None
        if id(mask) not in self._seen:
            self._seen[id(mask)] = mask, self._resolve(mask)
        return self._seen[id(mask)][1]

    def _resolve(self, mask: Mask) -> Mask | None:
        if isinstance(mask, ArrivingMask) and mask.read not in self._arriving:
            return None
        if not isinstance(mask, MergedMask):
            return self._canonical.setdefault((mask,), mask)
        parts = [self.resolved(each) for each in mask.masks]
        some = [each for each in parts if each is not None]
        if not some or (mask.how == "or" and len(some) < len(parts)):
            return None  # a tensor without a mask has no masked step
        if mask.how == "any" and self.rank(some[0]) <= mask.axis:
            return some[0]
        if mask.how in ("and", "or"):
            parts = list({id(each): each for each in some}.values())
            if len(parts) == 1:
                return parts[0]
        key = (mask.how, *map(id, parts), mask.tensors if mask.how == "joined" else (), mask.axis)
        return self._canonical.setdefault(key, replace(mask, masks=tuple(parts)))

    def rank(self, mask: Mask) -> int:
        """Return the number of axes of a mask; 2 where it is not known."""
        if isinstance(mask, MergedMask):
            return (
                mask.axis if mask.how == "any" else max((self.rank(each) for each in mask.masks if each is not None), default=2)
            )
        read = mask.tensor if isinstance(mask, (GivenMask, ReturnedMask)) else mask.read
        shape = self._graph.shapes.get(read)
        if shape is None or isinstance(mask, (ArrivingMask, ReturnedMask)):
            return 2
        return len(shape) - (isinstance(mask, MadeMask) and self._graph.layers[mask.layer].core.kind == "Masking")


def without_mask(tensor: str) -> str:
    """Return the mask of a tensor all of whose steps count."""
    return f"torch.ones({tensor}.shape[:2], dtype=torch.bool, device={tensor}.device)"


def expression(mask: Mask, names: Mapping[int, str], tensors: Mapping[Tensor, str], made: Callable[[str, str], str]) -> str:
    """Return the expression of a mask.

    Args:
        mask: a mask that layers make or merge.
        names: the variables of the masks that it consists of, by the identity of each.
        tensors: the variables of the tensors that it reads.
        made: returns the expression of the mask that a layer makes, of the layer's name and the variable that it reads.
    """
    if isinstance(mask, MadeMask):
        return made(mask.layer, tensors[mask.read])
    if not isinstance(mask, MergedMask):
        raise TypeError(mask)
    if mask.how == "joined":
        every = (
            names[id(each)] if each is not None else without_mask(tensors[read])
            for each, read in zip(mask.masks, mask.tensors, strict=True)
        )
        return f"torch.cat([{', '.join(every)}], dim={mask.axis})"
    if mask.how == "any":
        return f"{names[id(mask.masks[0])]}.flatten({mask.axis}).any({mask.axis})"
    sign = {"and": " & ", "or": " | "}[mask.how]
    return sign.join(names[id(each)] for each in mask.masks)


def with_parts(mask: Mask) -> list[Mask]:
    """Return a mask after the masks that it is merged of, each once."""
    every: dict[int, Mask] = {}
    coming = [mask]
    while coming:
        each = coming.pop()
        every.pop(id(each), None)  # it moves behind what it is a part of
        every[id(each)] = each
        if isinstance(each, MergedMask):
            coming += [part for part in each.masks if part is not None]
    return list(every.values())[::-1]


def reads_of(mask: Mask) -> Iterator[Tensor]:
    """Yield the tensors whose values a mask needs, without those of its parts."""
    if isinstance(mask, MadeMask):
        yield mask.read
    elif isinstance(mask, GivenMask):
        yield mask.tensor
    elif isinstance(mask, MergedMask) and mask.how == "joined":
        yield from (read for read, each in zip(mask.tensors, mask.masks, strict=True) if each is None)


def is_computed(mask: Mask) -> bool:
    """Return whether `forward` has a statement for a mask; others arrive, or are tensors of the model."""
    return not isinstance(mask, (ArrivingMask, ReturnedMask, GivenMask))
