"""From which right array an array of the port was made, and by which mistakes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
import numpy.typing as npt

from compare.diagnosis.weights.fitting import Fit, fit, fit_reordered
from compare.diagnosis.weights.structures import STRUCTURES, Matrix
from frameworks.layouts import Layout
from frameworks.spec import RecurrentSpec
from frameworks.weights import DirectionWeights, RecurrentWeights

Array = npt.NDArray[np.floating]
Place = tuple[int, int]
"""A layer and a direction."""
MATRICES = ("kernel", "recurrent_kernel")
Fitting = Callable[[Array, Array], Fit | None]
_TINY = 8
"""Blocks of fewer numbers than this are fitted together first, because so few numbers fit too much on their own."""


@dataclass(frozen=True)
class Origin:
    """How an array of the port was made of a right one. Without a mistake, it is the right array of the same place.

    Args:
        source: the layer and direction of the right array.
        structure: the number of the wrong structure in STRUCTURES, or None.
        inside: whether the gates and fits are those of the array before it got that structure.
        after: the order that the gates got after the structure; () if they stayed. A structure that mixes the gates is right
            about them if they were exchanged before it or after it.
        wanted: the order of gates that is right with that structure; () if it is that of the right layer.
        gates: for each gate, the number of the gate whose block it has.
        fits: for each gate, how its block was changed.
    """

    source: Place
    structure: int | None = None
    inside: bool = False
    after: tuple[int, ...] = ()
    wanted: tuple[int, ...] = ()
    gates: tuple[int, ...] = ()
    fits: tuple[Fit, ...] = ()

    @property
    def in_order(self) -> bool:
        """Whether every gate has its own block."""
        return self.gates == (self.wanted or tuple(range(len(self.gates))))

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
        names: how code names the arrays of each place of a torch port, such as "{}.{}_l0" of the module and the array.
        is_cell: whether it is a torch cell, whose arrays have no number of a layer.
    """

    weights: RecurrentWeights
    spec: RecurrentSpec
    source: Layout
    target: Layout
    names: Mapping[Place, str] = field(default_factory=dict)
    is_cell: bool = False

    def array(self, place: Place, part: str) -> Array:
        """Return the array of one part of one direction, (gate, row, hidden)."""
        array: Array = getattr(self.weights.layers[place[0]][place[1]], part)
        return array

    def at(self, place: Place) -> DirectionWeights:
        """Return the weights of one direction."""
        return self.weights.layers[place[0]][place[1]]

    @property
    def places(self) -> list[Place]:
        """Every layer and direction."""
        return list(product(range(self.spec.num_layers), range(self.spec.num_directions)))


def make(origin: Origin, right: Right, place: Place, part: str) -> Array:
    """Make the array of the port again from the right one. A rounding is not repeated."""
    array = right.array(origin.source, part)
    structure = None if origin.structure is None else STRUCTURES[origin.structure]
    matrix = _matrix(right, place, part)
    if structure is not None and not origin.inside:
        array = structure.make(array, matrix)
    if origin.gates:
        array = np.stack([each.apply(array[gate]) for gate, each in zip(origin.gates, origin.fits, strict=True)])
    if structure is not None and origin.inside:
        array = structure.make(array, matrix)
    return array[list(origin.after)] if origin.after else array


def origins(actual: Array, right: Right, place: Place, part: str) -> list[Origin]:
    """Return the origins of a matrix with the fewest mistakes; several if they make the same array, none if it is unrelated.

    Args:
        actual: the array of the port, (gate, row, hidden), gates in canonical order.
        right: the right layer.
        place: the layer and direction of the array.
        part: "kernel" or "recurrent_kernel".
    """
    same_shape = [each for each in right.places if right.array(each, part).shape == actual.shape]
    sources = sorted(same_shape, key=lambda each: each != place)
    if not np.isfinite(actual).all():
        return []
    for fitting in (fit, fit_reordered):
        found = list(_candidates(actual, right, place, part, sources, fitting))
        if found:
            fewest = min(each.cost(place) for each in found)
            return [each for each in found if each.cost(place) == fewest]
    return []


def _candidates(
    actual: Array, right: Right, place: Place, part: str, sources: Sequence[Place], fitting: Fitting
) -> Iterator[Origin]:
    undone = list(_undone(actual, right, place, part))
    for source in sources:
        array = right.array(source, part)
        plain = _fitted(Origin(source), actual, array, fitting)
        if plain is not None:
            yield plain
            if source == place and plain.cost(place) <= (fitting is fit_reordered):
                return
            if plain.cost(place) <= (source != place):
                continue
        for origin, before in undone:
            found = _fitted(replace(origin, source=source), before, array, fitting)
            if found is not None:
                yield found
            elif origin.structure is not None and not origin.after:
                made = STRUCTURES[origin.structure].make(array, _matrix(right, place, part))
                found = _fitted(replace(origin, source=source, inside=False), actual, made, fitting)
                if found is not None:
                    yield found


def _undone(actual: Array, right: Right, place: Place, part: str) -> Iterator[tuple[Origin, Array]]:
    """Yield the array that each wrong structure would have been made of."""
    swap, matrix = exchange(right), _matrix(right, place, part)
    in_order = tuple(range(len(swap)))
    for number, structure in enumerate(STRUCTURES):
        if structure.applies(actual, part):
            exchanged = structure.mixes_gates and swap != in_order
            for after in ((), swap) if exchanged else ((),):
                taken = actual[np.argsort(after)] if after else actual
                before = structure.undo(taken, matrix)
                if not np.array_equal(before, actual):
                    yield (
                        Origin(place, number, inside=True, after=after, wanted=swap if exchanged and not after else ()),
                        before,
                    )


def _fitted(origin: Origin, actual: Array, made: Array, fitting: Fitting) -> Origin | None:
    """Find for each gate the block that it has; None if one has none, or if two have the same."""
    if len(made) > 1 and made[0].size < _TINY:
        whole = fitting(actual.reshape(-1, actual.shape[-1]), made.reshape(-1, actual.shape[-1]))
        if whole is not None and not whole.rows:
            count = len(made)
            return replace(origin, gates=tuple(range(count)), fits=(whole,) * count)
    gates: list[int] = []
    fits: list[Fit] = []
    for number, block in enumerate(actual):
        own_first = sorted(range(len(made)), key=lambda gate: gate != number)
        for gate in own_first:
            found = None if gate in gates else _like_first(block, made[gate], fits, fitting)
            if found is not None:
                gates.append(gate)
                fits.append(found)
                break
        else:
            return None
    return replace(origin, gates=tuple(gates), fits=tuple(fits))


def _like_first(block: Array, made: Array, fits: Sequence[Fit], fitting: Fitting) -> Fit | None:
    """Fit a block with the order of rows and columns that the first block has."""
    if not fits:
        return fitting(block, made)
    order = Fit(rows=fits[0].rows, columns=fits[0].columns)
    found = fit(block, order.apply(made))
    return None if found is None else replace(found, rows=order.rows, columns=order.columns)


def structured(array: Array, right: Right, place: Place, part: str) -> Iterator[Array]:
    """Yield what each wrong structure makes of a right array."""
    for number, structure in enumerate(STRUCTURES):
        if structure.applies(array, part):
            yield structured_by(number, array, right, place, part)


def structured_by(number: int, array: Array, right: Right, place: Place, part: str) -> Array:
    """Return what a wrong structure makes of a right array."""
    return STRUCTURES[number].make(array, _matrix(right, place, part))


def exchange(right: Right) -> tuple[int, ...]:
    """Return the order that takes the gates from the layout of the right layer to that of the port."""
    own, other = right.source.gates[right.spec.cell], right.target.gates[right.spec.cell]
    return tuple(right.spec.gates.index(own[other.index(gate)]) for gate in right.spec.gates)


def _matrix(right: Right, place: Place, part: str) -> Matrix:
    return Matrix(right.spec, place[0], part, right.source, right.target)


def mistakes_of(origin: Origin, part: str, gates: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Return the identifiers of an origin's mistakes, and the gates that each is confined to, () for all.

    Mistakes of the place itself, such as exchanged layers, are left to the caller.
    """
    named: dict[str, tuple[str, ...]] = {}
    if origin.structure is not None:
        named[STRUCTURES[origin.structure].mistakes[part]] = ()
    if not origin.in_order:
        named["gates-permuted"] = ()
    rows = "inputs-permuted" if part == "kernel" else "units-permuted"
    for mistake, changed in (
        ("scaled", [each.scale != 1 for each in origin.fits]),
        ("rounded", [bool(each.rounded) for each in origin.fits]),
        (rows, [bool(each.rows) for each in origin.fits]),
        ("units-permuted", [bool(each.columns) for each in origin.fits]),
    ):
        if any(changed):
            confined = tuple(gate for gate, is_changed in zip(gates, changed, strict=True) if is_changed)
            named[mistake] = () if len(confined) == len(gates) else confined
    return named
