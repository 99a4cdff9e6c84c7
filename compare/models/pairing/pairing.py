"""Pairing the calls of two models: layers by the numbers in their weights, then by kind, names and order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from compare.models.pairing.absorbing import absorb_activations, activation_in, feeds
from compare.models.pairing.fingerprints import Print, prints_of, similarity
from compare.models.pairing.pair import Pair
from compare.models.pairing.turns import in_turn, units_in
from compare.models.recording.recorded import Recorded, weights_of
from frameworks.errors import InvalidTypeError, InvalidValueError

_ENOUGH = 0.3
"""The share of the weights that two layers have at least in common if they are a pair."""
_SHARED = 0.9
"""The same for a layer whose partner has another one too: shared or tied weights, or several layers in one module."""


@dataclass(eq=False)
class _Layer:
    """A layer with all its calls."""

    calls: list[Recorded]
    prints: list[Print]
    place: float

    @property
    def first(self) -> Recorded:
        return self.calls[0]

    @property
    def units(self) -> int:
        return units_in(self.first)


@dataclass(eq=False)
class _Links:
    """Which layers belong together; a layer may have several partners."""

    ones: list[_Layer]
    others: list[_Layer]
    partners: dict[int, list[int]]

    def of_other(self, other: int) -> list[int]:
        return [one for one, linked in self.partners.items() if other in linked]

    def add(self, one: int, other: int) -> None:
        self.partners.setdefault(one, []).append(other)

    def has_room(self, one: int, other: int) -> bool:
        """Return whether neither has a partner, or both are recurrent and one of them holds more layers than are linked."""
        mine, yours = self.partners.get(one, []), self.of_other(other)
        if not mine and not yours:
            return True
        if bool(mine) == bool(yours) or self.ones[one].first.family.name != "recurrent":
            return False
        if mine:
            return sum(self.others[each].units for each in mine) < self.ones[one].units
        return sum(self.ones[each].units for each in yours) < self.others[other].units


def pair_calls(expected: Sequence[Recorded], actual: Sequence[Recorded], given: Mapping[str, str] | None = None) -> list[Pair]:
    """Pair the calls of two models, in the order of the expected model's calls; what has no partner is there alone.

    Args:
        expected: the calls of the expected model's layers.
        actual: those of the actual model's.
        given: names of the expected layers and their partners, which are taken as they are.

    Raises:
        GatewiseError: for a name that a model does not have.
    """
    if given is not None and not isinstance(given, Mapping):
        raise InvalidTypeError.because(
            "pairs",
            must="be a mapping from the names of expected layers to those of actual ones",
            but=f"is of type {type(given).__name__}",
            remedy='Pass a dict, such as {"lstm": "encoder.rnn"}.',
        )
    opened = _opened(expected, actual)
    links = _Links(_by_layer(opened[0]), _by_layer(opened[1]), {})
    fixed = _link_given(links, given or {})
    shared = _link_by_weights(links, fixed)
    _link_by_kind(links)
    for one, other in shared:
        if one not in links.partners or not links.of_other(other):
            links.add(one, other)
    pairs = list(_pairs(links))
    return absorb_activations(pairs)


def _opened(expected: Sequence[Recorded], actual: Sequence[Recorded]) -> tuple[list[Recorded], list[Recorded]]:
    """Return the calls of both sides, where a layer made of others is one if both models have such a layer, else its parts."""
    whole = {each.family for each in expected if each.family.opaque} & {each.family for each in actual if each.family.opaque}
    closed = [{each.index for each in calls if each.family in whole} for calls in (expected, actual)]
    for one, other in _of_one_name(expected, actual):
        closed[0].add(one.index)
        closed[1].add(other.index)
    return _without(expected, closed[0]), _without(actual, closed[1])


def _of_one_name(expected: Sequence[Recorded], actual: Sequence[Recorded]) -> Iterator[tuple[Recorded, Recorded]]:
    """Yield layers that the actual model makes of several with weights, under the same name and with as many numbers."""
    parts: dict[int, set[int]] = {}
    for call in actual:
        if call.inside is not None and weights_of(call.native):
            parts.setdefault(call.inside, set()).add(id(call.native))
    made = {_identifier(call.name): call for call in actual if len(parts.get(call.index, ())) > 1}
    for one in expected if made else ():
        other = made.get(_identifier(one.name))
        if other is not None and one.family.name != "recurrent" and _numbers(one) == _numbers(other) > 0:
            yield from ((one, each) for each in actual if each.native is other.native)


def _identifier(name: str) -> str:
    return re.sub(r"\W", "_", re.split(r"[/.](?=[^\d])", name)[-1])


def _numbers(call: Recorded) -> int:
    return sum(each.size for each in weights_of(call.native).values())


def _without(calls: Sequence[Recorded], closed: set[int]) -> list[Recorded]:
    """Return the calls of layers that are one to the reader: without containers of called layers, and parts of closed ones."""
    containers = {each.inside for each in calls if each.inside is not None}
    around = {each.index: each.inside for each in calls}
    kept = []
    for call in calls:
        outer = around[call.index]
        while outer is not None and outer not in closed:
            outer = around[outer]
        if outer is None and (call.index in closed or call.index not in containers):
            kept.append(call)
    return kept


def _by_layer(calls: Sequence[Recorded]) -> list[_Layer]:
    layers: dict[int, _Layer] = {}
    for place, call in enumerate(calls):
        if id(call.native) in layers:
            layers[id(call.native)].calls.append(call)
        else:
            layers[id(call.native)] = _Layer([call], prints_of(call), place / len(calls))
    return list(layers.values())


def _link_given(links: _Links, given: Mapping[str, str]) -> set[int]:
    for name, other in given.items():
        links.add(
            _find(links.ones, name, "a key of pairs", "expected"), _find(links.others, other, f"pairs[{name!r}]", "actual")
        )
    return set(links.partners)


def _find(layers: Sequence[_Layer], name: str, subject: str, side: str) -> int:
    names = [layer.first.name for layer in layers]
    if name not in names:
        shown = ", ".join(names[:40]) + (", ..." if len(names) > 40 else "")
        raise InvalidValueError.because(
            subject,
            must=f"be the name of a layer that the {side} model calls",
            but=f"is {name!r}",
            remedy=f"Choose one of {shown}.",
        )
    return names.index(name)


def _link_by_weights(links: _Links, fixed: set[int]) -> list[tuple[int, int]]:
    """Link layers that have numbers in common; most in common first, then the same family, similar names and the order.

    Returns:
        Layers that have the numbers of one that has a partner already: shared or tied weights, if nothing else fits them.
    """
    taken = {other for one in fixed for other in links.partners[one]}
    found = []
    for one, layer in enumerate(links.ones):
        for other, partner in enumerate(links.others):
            if one in fixed or other in taken:
                continue
            share = similarity(layer.prints, partner.prints)
            if share >= _ENOUGH:
                alike = layer.first.family == partner.first.family
                name = _likeness(layer.first.name, partner.first.name)
                rank = (-round(share, 1), not alike, -round(name, 1), abs(layer.place - partner.place))
                found.append((rank, share, one, other))
    found.sort(key=lambda each: each[0])
    left = []
    for _, share, one, other in found:
        if links.has_room(one, other):
            links.add(one, other)
        elif share >= _SHARED:
            left.append((one, other))
    return left


def _link_by_kind(links: _Links) -> None:
    """Link what is left by family, then by what it can be mistaken for: sizes, names and the place between linked layers."""
    for activations in (False, True):
        reserved = {id(each) for each in _absorbed(links)} if activations else set[int]()
        for same in ("family", "group", "shape"):
            for one, layer in enumerate(links.ones):
                if one in links.partners or (layer.first.family.group == "activation") is not activations:
                    continue
                before, after = _window(links, one)
                free = [
                    other
                    for other, partner in enumerate(links.others)
                    if not links.of_other(other)
                    and before <= other <= after
                    and id(partner) not in reserved
                    and id(layer) not in reserved
                    and _stands_for(layer.first, partner.first, same)
                ]
                if free:
                    links.add(one, min(free, key=lambda other: _distance(layer, links.others[other], other - before)))


def _absorbed(links: _Links) -> Iterator[_Layer]:
    """Yield the activations that follow a layer whose partner has one inside."""
    for one, partners in links.partners.items():
        for other in partners:
            mine, yours = links.ones[one], links.others[other]
            for layer, inner, candidates in ((mine, yours, links.ones), (yours, mine, links.others)):
                if activation_in(inner.first) and not activation_in(layer.first):
                    yield from (
                        each
                        for each in candidates
                        if each.first.family.group == "activation" and feeds(layer.first, each.first)
                    )


def _window(links: _Links, one: int) -> tuple[int, int]:
    """Return between which layers of the actual model the partner of an expected layer must be called."""
    before = [max(links.partners[key]) for key in range(one) if key in links.partners]
    after = [min(links.partners[key]) for key in range(one + 1, len(links.ones)) if key in links.partners]
    low, high = max(before[-1:], default=-1), min(after[:1], default=len(links.others))
    return (low, high) if low < high else (-1, len(links.others))


def _stands_for(one: Recorded, other: Recorded, same: str) -> bool:
    if same == "family":
        return one.family == other.family
    if same == "shape":  # layers of the user's own
        shapes = [sorted(each.outputs[0].shape) if each.outputs else [] for each in (one, other)]
        return bool(shapes[0]) and shapes[0] == shapes[1] and all(weights_of(each.native) for each in (one, other))
    return bool(one.family.group) and one.family.group == other.family.group


def _distance(one: _Layer, other: _Layer, place: int) -> tuple[bool, float, int]:
    sizes = [sorted(each.size for each in weights_of(layer.first.native).values()) for layer in (one, other)]
    return sizes[0] != sizes[1], -round(_likeness(one.first.name, other.first.name), 1), place


def _likeness(one: str, other: str) -> float:
    """Return how much two names have in common, numbers that count layers aside."""
    words = [re.sub(r"[\W\d_]+", " ", name.lower()).strip() for name in (one, other)]
    return SequenceMatcher(None, words[0], words[1]).ratio() if all(words) else 0.0


def _pairs(links: _Links) -> Iterator[Pair]:
    found: list[Pair] = []
    seen: set[int] = set()
    for one in range(len(links.ones)):
        if one in seen:
            continue
        mine, yours = _component(links, one)
        seen |= mine
        found += in_turn(
            sorted((call for key in mine for call in links.ones[key].calls), key=lambda call: call.index),
            sorted((call for key in yours for call in links.others[key].calls), key=lambda call: call.index),
        )
    linked = {other for partners in links.partners.values() for other in partners}
    found += [Pair((), (call,)) for key, layer in enumerate(links.others) if key not in linked for call in layer.calls]
    yield from sorted((each for each in found if each.expected), key=lambda each: each.expected[0].index)
    yield from sorted((each for each in found if not each.expected), key=lambda each: each.actual[0].index)


def _component(links: _Links, one: int) -> tuple[set[int], set[int]]:
    mine, yours = {one}, set[int]()
    while True:
        more = {other for key in mine for other in links.partners.get(key, ())}
        back = {key for other in more for key in links.of_other(other)} | mine
        if more == yours and back == mine:
            return mine, yours
        mine, yours = back, more
