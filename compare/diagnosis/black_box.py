"""Weights of a port that cannot be observed: guesses at them, each the right ones with one known mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import combinations, permutations

import numpy as np
import numpy.typing as npt

from compare.diagnosis.weights import bias_origins as biases
from compare.diagnosis.weights.observed import BOTH_BIASES, Unit
from compare.diagnosis.weights.origins import MATRICES, Place, Right, exchange, structured_by
from compare.diagnosis.weights.rounding import round_like
from compare.diagnosis.weights.structures import STRUCTURES
from frameworks.weights import BIASES, PARTS, DirectionWeights

Array = npt.NDArray[np.floating]
Changed = Mapping[Place, DirectionWeights]
_ROUNDINGS = ("float16", "bfloat16", "float32", "3 decimals", "2 decimals")


@dataclass(frozen=True, eq=False)
class Guess:
    """One mistake in the weights.

    Args:
        mistake: its identifier.
        units: the arrays that it changes.
        build: returns the weights of a place that it changes.
        found: what the port has, in words.
        must_be: what it must have.
    """

    mistake: str
    units: tuple[Unit, ...]
    build: Callable[[Place], DirectionWeights]
    found: str = ""
    must_be: str = ""

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """The layers and directions that it changes."""
        return tuple(dict.fromkeys((unit.layer, unit.direction) for unit in self.units))

    def changed(self) -> Changed:
        """Return the weights of each place that it changes."""
        return {place: self.build(place) for place in self.places}


def guesses(right: Right) -> Iterator[Guess]:
    """Yield guesses at the weights of a port, those that change the most first."""
    for places in _scopes(right):
        yield from _permuted(right, places)
        yield from _structured(right, places)
        yield from _biased(right, places)
        yield from _of_directions(right, places)
    yield from _of_layers(right)
    for rounding in _ROUNDINGS:
        build = partial(_each, right, PARTS, partial(round_like, rounding=rounding))
        yield Guess("rounded", _units(right.places, _held(right, PARTS)), build, f"rounded to {rounding}", "not rounded")
        if not right.spec.has_two_biases and len(_held(right, BIASES)) == 2:
            build = partial(_rounded_in_one, right, rounding)
            yield Guess("rounded", _units(right.places, _held(right, PARTS)), build, f"rounded to {rounding}", "not rounded")


def _scopes(right: Right) -> list[tuple[Place, ...]]:
    """Return all places, those of each layer, those of each direction, and each alone."""
    by_layer = [tuple(place for place in right.places if place[0] == layer) for layer in range(right.spec.num_layers)]
    by_direction = [tuple(place for place in right.places if place[1] == side) for side in range(right.spec.num_directions)]
    return list(dict.fromkeys([tuple(right.places), *by_layer, *by_direction, *((place,) for place in right.places)]))


def _held(right: Right, parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(part for part in parts if getattr(right.at((0, 0)), part) is not None)


def _units(places: Sequence[Place], parts: Sequence[str]) -> tuple[Unit, ...]:
    named = (*(part for part in parts if part in MATRICES), *([BOTH_BIASES] if set(BIASES) <= set(parts) else ()))
    named += tuple(part for part in parts if part in BIASES and BOTH_BIASES not in named)
    return tuple(Unit(*place, part) for place in places for part in named)


def _each(right: Right, parts: Sequence[str], change: Callable[[Array], Array], place: Place) -> DirectionWeights:
    one = right.at(place)
    return _with(one, {part: change(array) for part, array in one.arrays() if part in parts})


def _with(one: DirectionWeights, arrays: Mapping[str, Array]) -> DirectionWeights:
    return replace(one, **dict(arrays))  # type: ignore[arg-type]


def _rounded_in_one(right: Right, rounding: str, place: Place) -> DirectionWeights:
    """Round the sum of both biases rather than each of them."""
    one = right.at(place)
    summed = replace(one, bias=one.summed_bias(), recurrent_bias=None)
    return _with(summed, {part: round_like(array, rounding) for part, array in summed.arrays()})


def _reordered(array: Array, order: Sequence[int]) -> Array:
    return array[list(order)]


def _permuted(right: Right, places: Sequence[Place]) -> Iterator[Guess]:
    gates = right.spec.gates
    in_order = tuple(range(len(gates)))
    orders = [order for order in dict.fromkeys([exchange(right), *permutations(in_order)]) if order != in_order]
    every = (PARTS, MATRICES, ("kernel",), ("recurrent_kernel",), BIASES, ("bias",), ("recurrent_bias",))
    for parts in filter(None, dict.fromkeys(_held(right, each) for each in every)):
        for order in orders:
            shown = f"in the place of {', '.join(gates)}: {', '.join(gates[gate] for gate in order)}"
            build = partial(_each, right, parts, partial(_reordered, order=order))
            yield Guess("gates-permuted", _units(places, parts), build, shown, ", ".join(gates))


def _structured(right: Right, places: Sequence[Place]) -> Iterator[Guess]:
    for number, structure in enumerate(STRUCTURES):
        swap = exchange(right) if structure.mixes_gates else tuple(range(len(right.spec.gates)))
        shared = len(set(structure.mistakes.values())) == 1 and set(MATRICES) <= set(structure.mistakes)
        for parts in [MATRICES] * shared + [(part,) for part in MATRICES if part in structure.mistakes]:
            if all(structure.applies(getattr(right.at(place), part), part) for place in places for part in parts):
                for first in (True, False) if swap != tuple(range(len(swap))) else (True,):
                    build = partial(_restructured, right, parts, number, swap, first=first)
                    yield Guess(structure.mistakes[parts[0]], _units(places, parts), build, "", "the transpose of the array")


def _restructured(
    right: Right, parts: Sequence[str], number: int, swap: Sequence[int], place: Place, *, first: bool
) -> DirectionWeights:
    """Change the structure of some arrays, whose gates are exchanged before it or after it."""
    arrays = {}
    for part in parts:
        array = right.array(place, part)
        made = structured_by(number, array[list(swap)] if first else array, right, place, part)
        arrays[part] = made if first else made[list(swap)]
    return _with(right.at(place), arrays)


def _biased(right: Right, places: Sequence[Place]) -> Iterator[Guess]:
    if not right.spec.bias:
        return
    offsets = biases.OFFSETS if "forget" in right.spec.gates else {}
    apart = () if right.spec.has_two_biases else ("biases-summed", "biases-swapped")
    changes = [number for number, each in enumerate(biases.CHANGES) if each.mistake not in apart]
    for change, offset in [*((number, "") for number in changes), *((None, name) for name in offsets)]:
        made = None if change is None else biases.CHANGES[change]
        mistake, found = (offset, biases.offset_in_words(offset)) if made is None else (made.mistake, made.found)
        build = partial(_with_biases, right, change, offset)
        yield Guess(mistake, tuple(Unit(*place, BOTH_BIASES) for place in places), build, found, "the right bias")


def _with_biases(right: Right, change: int | None, offset: str, place: Place) -> DirectionWeights:
    in_order = tuple(range(len(right.spec.gates)))
    bias, second = biases.make(biases.BiasOrigin(place, change, offset, in_order), right)
    two = right.spec.has_two_biases
    return replace(right.at(place), bias=bias if two else bias + second, recurrent_bias=second if two else None)


def _of_directions(right: Right, places: Sequence[Place]) -> Iterator[Guess]:
    layers = sorted({layer for layer, _ in places})
    if not right.spec.bidirectional or len(places) != 2 * len(layers):
        return
    for mistake, sources, sides in (
        ("directions-swapped", (1, 0), (0, 1)),
        ("direction-repeated", (0, 0), (1,)),
        ("direction-repeated", (1, 1), (0,)),
    ):
        changed = {(layer, side): right.at((layer, sources[side])) for layer in layers for side in sides}
        yield Guess(mistake, _units(list(changed), _held(right, PARTS)), changed.__getitem__)


def _of_layers(right: Right) -> Iterator[Guess]:
    sides = range(right.spec.num_directions)
    for one, other in combinations(range(right.spec.num_layers), 2):
        if right.at((one, 0)).kernel.shape == right.at((other, 0)).kernel.shape:
            changed = {(layer, side): right.at((one + other - layer, side)) for layer in (one, other) for side in sides}
            found = f"layers {one} and {other}, exchanged"
            yield Guess("layers-swapped", _units(list(changed), _held(right, PARTS)), changed.__getitem__, found)
    for places, sources in _pairs(right):
        found, must_be = (_shown(each, right) for each in (sources, places))
        for parts in (PARTS, ("recurrent_kernel",), ("kernel",), BIASES):
            held = _held(right, parts)
            if places[0][0] == sources[0][0] and held == _held(right, PARTS):
                continue  # a direction that is repeated
            moved = {
                place: _with(right.at(place), {part: right.array(source, part) for part in held})
                for place, source in zip(places, sources, strict=True)
            }
            if held and all(one.kernel.shape == right.at(place).kernel.shape for place, one in moved.items()):
                yield Guess("from-another-layer", _units(places, held), moved.__getitem__, found, must_be)


def _pairs(right: Right) -> Iterator[tuple[Sequence[Place], Sequence[Place]]]:
    """Yield places and those that their arrays may be from: a whole layer, or one direction of it."""
    sides = range(right.spec.num_directions)
    for one, other in permutations(range(right.spec.num_layers), 2):
        yield [(one, side) for side in sides], [(other, side) for side in sides]
    if right.spec.bidirectional:
        yield from (([place], [source]) for place, source in permutations(right.places, 2))


def _shown(places: Sequence[Place], right: Right) -> str:
    direction = f", direction {places[0][1]}" if len(places) == 1 and right.spec.bidirectional else ""
    return f"that of layer {places[0][0]}{direction}"
