"""Pairing the calls of layers that belong together: by what they get, and otherwise in turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

import numpy as np

from compare.models.pairing.axes import difference, laid_out
from compare.models.pairing.pair import Pair
from compare.models.recording.recorded import Recorded, sequences_of


def units_in(call: Recorded) -> int:
    """Return how many layers and directions a recurrent layer has; 1 for any other."""
    spec = call.adapter.spec if call.adapter is not None else None
    return spec.num_layers * spec.num_directions if spec is not None else 1


def in_turn(expected: list[Recorded], actual: list[Recorded]) -> Iterator[Pair]:
    """Pair calls that get the same, then the others in turn; of recurrent layers as many as have equally many parts."""
    ones, others = _grouped(expected, actual), _grouped(actual, expected)
    if len(ones) > 1 and len(others) > 1:
        others = _in_order_of(ones, others)
    for one, other in zip_longest(ones, others, fillvalue=()):
        if one and other:
            yield Pair(tuple(one), tuple(other))
        else:
            yield from (Pair((call,), ()) for call in one)
            yield from (Pair((), (call,)) for call in other)


def _in_order_of(ones: Sequence[Sequence[Recorded]], others: list[list[Recorded]]) -> list[list[Recorded]]:
    """Return groups of calls in the order of the groups that get the same; the others keep their order in the free places."""
    left = list(others)
    places: list[list[Recorded] | None] = []
    for one in ones:
        match = next((other for other in left if _gets_the_same(one[0], other[0])), None)
        places.append(match)
        if match is not None:
            left.remove(match)
    return [left.pop(0) if place is None and left else place or [] for place in places] + left


def _gets_the_same(one: Recorded, other: Recorded) -> bool:
    if not one.inputs or not other.inputs:
        return False
    if one.adapter is not None and other.adapter is not None:
        (mine, mask), (yours, steps) = sequences_of(one, other)
        valid = mask if mask is not None else steps
        if valid is not None and mine.shape[:2] == yours.shape[:2] == valid.shape:
            mine, yours = (np.where(valid[..., None], each, 0) for each in (mine, yours))
        arrays = [(mine, yours)]
    else:
        arrays = list(zip(one.inputs, other.inputs, strict=False))
    for mine, yours in arrays:
        laid = mine if one.adapter is not None else laid_out(mine, yours, one, other)
        off = difference(laid, yours)
        if off is None or off > 1e-4 * max(1.0, float(np.abs(yours).max(initial=0))):
            return False
    return True


def _grouped(calls: Sequence[Recorded], partners: Sequence[Recorded]) -> list[list[Recorded]]:
    rest, groups = list(calls), []
    while rest:
        group = [rest.pop(0)]
        if partners:
            _fill(group, list(partners), rest)
        groups.append(group)
    return groups


def _fill(group: list[Recorded], partner: list[Recorded], rest: list[Recorded]) -> None:
    mine, yours = group[0].adapter, partner[0].adapter
    if mine is None or yours is None:
        return
    if mine.is_cell and not yours.is_cell:  # a loop over time
        steps = partner[0].sequence.shape[1]
        while rest and len(group) < steps and rest[0].native is group[0].native:
            group.append(rest.pop(0))
        return
    units = max(map(units_in, partner))
    while rest and _units(group) < units and all(rest[0].native is not each.native for each in group):
        group.append(rest.pop(0))


def _units(calls: Sequence[Recorded]) -> int:
    return sum(map(units_in, calls))
