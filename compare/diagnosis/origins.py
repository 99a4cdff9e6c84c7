"""From which right array an array of the port was made, and by which mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations, product

import numpy as np
import numpy.typing as npt

from compare.diagnosis.fitting import Fit, alike, fit
from compare.diagnosis.structures import STRUCTURES, Matrix
from frameworks.layouts import Layout
from frameworks.spec import RecurrentSpec
from frameworks.weights import RecurrentWeights

Array = npt.NDArray[np.floating]
Place = tuple[int, int]
"""A layer and a direction."""
MATRICES = ("kernel", "recurrent_kernel")
_SMALL = 1 << 16
"""Up to this size, every order of gates is tried before a structure that mixes them."""


@dataclass(frozen=True)
class Origin:
    """How an array of the port was made of a right one. Without a mistake, it is the right array of the same place.

    Args:
        source: the layer and direction of the right array.
        structure: the number of the wrong structure in STRUCTURES, or None.
        before: the order in which the gates lay before that structure; () if they lay in that of the right layer.
        exchange: the order that takes the gates from the right layer's layout to the port's; () where it does not matter. A
            structure that mixes the gates is right about them if they were exchanged before it or after it.
        gates: for each gate, the number of the gate whose block it has.
        fits: for each gate, how its block was changed.
    """

    source: Place
    structure: int | None = None
    before: tuple[int, ...] = ()
    exchange: tuple[int, ...] = ()
    gates: tuple[int, ...] = ()
    fits: tuple[Fit, ...] = ()

    @property
    def in_order(self) -> bool:
        """Whether every gate has its own block."""
        own = tuple(range(len(self.gates)))
        if not self.exchange or self.exchange == own:
            return not self.before and self.gates == own
        return (self.before or own, self.gates) in ((self.exchange, own), (own, self.exchange))

    def cost(self, place: Place) -> int:
        """The number of mistakes."""
        own = max((each.cost for each in self.fits), default=0)
        return (self.source != place) + (self.structure is not None) + (not self.in_order) + own


@dataclass(frozen=True)
class Right:
    """The right layer: its arrays, and where the port's framework and its own store them.

    Args:
        weights: the weights in canonical form and gate order.
        spec: the spec.
        source: the layout in which the right layer stores its weights.
        target: the layout in which the port stores its weights.
    """

    weights: RecurrentWeights
    spec: RecurrentSpec
    source: Layout
    target: Layout

    def array(self, place: Place, part: str) -> Array:
        """Return the array of one part of one direction, (gate, row, hidden)."""
        array: Array = getattr(self.weights.layers[place[0]][place[1]], part)
        return array

    @property
    def places(self) -> list[Place]:
        """Every layer and direction."""
        return list(product(range(self.spec.num_layers), range(self.spec.num_directions)))


def make(origin: Origin, right: Right, place: Place, part: str) -> Array:
    """Make the array of the port again from the right one. A rounding is not repeated."""
    array = right.array(origin.source, part)
    if origin.structure is not None:
        array = _structured(
            origin.structure, array[list(origin.before)] if origin.before else array, _matrix(right, place, part)
        )
    if not origin.gates:
        return array
    return np.stack([each.apply(array[gate]) for gate, each in zip(origin.gates, origin.fits, strict=True)])


def origins(actual: Array, right: Right, place: Place, part: str) -> list[Origin]:
    """Return the origins of a matrix with the fewest mistakes; several if they make the same array, none if it is unrelated.

    Args:
        actual: the array of the port, (gate, row, hidden), gates in canonical order.
        right: the right layer.
        place: the layer and direction of the array.
        part: "kernel" or "recurrent_kernel".
    """
    same_numbers = [each for each in right.places if _may_be(actual, right.array(each, part))]
    same_shape = [each for each in right.places if right.array(each, part).shape == actual.shape]
    for sources, orders in ((same_numbers, False), (same_numbers, True), (same_shape, False)):
        found = list(_candidates(actual, right, place, part, sources, orders=orders))
        if found:
            fewest = min(each.cost(place) for each in found)
            return [each for each in found if each.cost(place) == fewest]
    return []


def _may_be(actual: Array, array: Array) -> bool:
    return array.shape == actual.shape and alike(actual, array)


def _candidates(
    actual: Array, right: Right, place: Place, part: str, sources: Sequence[Place], *, orders: bool
) -> Iterator[Origin]:
    for source in sorted(sources, key=lambda each: each != place):
        array = right.array(source, part)
        plain = _fitted(Origin(source), actual, array, orders=orders)
        if plain is not None:
            yield plain
            if source == place and plain.cost(place) == 0:
                return
        matrix = _matrix(right, place, part)
        for number, structure in enumerate(STRUCTURES):
            if part not in structure.mistakes:
                continue
            for before in _orders_before(array, right, mixes=structure.mixes_gates):
                made = _structured(number, array[list(before)] if before else array, matrix)
                if made is None or made.shape != actual.shape or np.array_equal(made, array):
                    continue
                exchange = _exchange(right) if structure.mixes_gates else ()
                found = _fitted(Origin(source, number, before, exchange), actual, made, orders=False)
                if found is not None and (not before or found.gates == tuple(range(len(array)))):
                    yield found


def _fitted(origin: Origin, actual: Array, made: Array, *, orders: bool) -> Origin | None:
    """Find for each gate the block that it has; None if one has none, or if two have the same."""
    gates: list[int] = []
    fits: list[Fit] = []
    for number, block in enumerate(actual):
        own_first = sorted(range(len(made)), key=lambda gate: gate != number)
        for gate in own_first:
            found = None if gate in gates else fit(block, made[gate], orders=orders)
            if found is not None:
                gates.append(gate)
                fits.append(found)
                break
        else:
            return None
    if len({(each.rows, each.columns) for each in fits}) > 1:
        return None
    return replace(origin, gates=tuple(gates), fits=tuple(fits))


def _orders_before(array: Array, right: Right, *, mixes: bool) -> Iterator[tuple[int, ...]]:
    yield ()
    if not mixes or len(array) == 1:
        return
    gates = right.spec.gates
    known = {_exchange(right)}
    every = permutations(range(len(gates))) if array.size <= _SMALL else iter(sorted(known))
    yield from (order for order in every if order != tuple(range(len(gates))))


def _exchange(right: Right) -> tuple[int, ...]:
    own, other = right.source.gates[right.spec.cell], right.target.gates[right.spec.cell]
    return tuple(right.spec.gates.index(own[other.index(gate)]) for gate in right.spec.gates)


def _structured(number: int, array: Array, matrix: Matrix) -> Array | None:
    return STRUCTURES[number].make(array, matrix)


def _matrix(right: Right, place: Place, part: str) -> Matrix:
    return Matrix(right.spec, place[0], part, right.source, right.target)


def correlation(actual: Array, expected: Array) -> float:
    """Return the correlation of the numbers of two arrays of one shape; 0 if one of them is constant."""
    one, other = (each.astype(np.float64).ravel() - each.mean(dtype=np.float64) for each in (actual, expected))
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / norm if norm else 0.0


def mistakes_of(origin: Origin, place: Place, part: str, gates: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Return the identifiers of an origin's mistakes, and the gates that each is confined to, () for all.

    Mistakes of the place itself, such as exchanged layers, are left to the caller.
    """
    named: dict[str, tuple[str, ...]] = {}
    if origin.structure is not None:
        named[STRUCTURES[origin.structure].mistakes[part]] = ()
    if not origin.in_order:
        named["gates-permuted"] = ()
    for mistake, changed in (
        ("scaled", [each.scale != 1 for each in origin.fits]),
        ("rounded", [bool(each.rounded) for each in origin.fits]),
        ("inputs-permuted", [bool(each.rows) for each in origin.fits]),
        ("units-permuted", [bool(each.columns) for each in origin.fits]),
    ):
        if any(changed):
            confined = tuple(gate for gate, is_changed in zip(gates, changed, strict=True) if is_changed)
            named[mistake] = () if len(confined) == len(gates) else confined
    return named
