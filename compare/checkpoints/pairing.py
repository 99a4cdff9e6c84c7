"""Which layers of two files belong together: by name, by equal weights, or by sizes that leave no other choice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import groupby
from typing import Generic, TypeVar

from compare.checkpoints.other_rows import Meaning, meaning_of
from compare.checkpoints.recurrent_rows import has_same_weights, sizes_of
from compare.checkpoints.verified import PairedBy
from frameworks.files import OtherLayer, StoredLayer
from frameworks.files.stored import StoredCell
from frameworks.files.writing.naming import plain_name

L = TypeVar("L", StoredLayer, OtherLayer)
Cells = tuple[StoredCell, ...]
Fits = Callable[[L, L], bool]


@dataclass(frozen=True)
class Pair(Generic[L]):
    """Layers that belong together; several on a side are called one after the other.

    Args:
        expected: the layers of the first file.
        actual: the layers of the second file.
        by: what the pairing relies on.
    """

    expected: tuple[L, ...]
    actual: tuple[L, ...]
    by: PairedBy = "name"


@dataclass
class Pairing(Generic[L]):
    """The pairs found so far, and the layers that are left.

    Args:
        expected: the layers of the first file without a partner.
        actual: the layers of the second file without a partner.
        pairs: the pairs.
        candidates: for a layer without a partner, by name, the layers of the other file that have its sizes.
    """

    expected: list[L]
    actual: list[L]
    pairs: list[Pair[L]] = field(default_factory=list)
    candidates: dict[str, list[str]] = field(default_factory=dict)

    def add(self, expected: Sequence[L], actual: Sequence[L], by: PairedBy) -> None:
        """Take layers out of those that are left, and pair them."""
        self.pairs.append(Pair(tuple(expected), tuple(actual), by))
        self.expected = [layer for layer in self.expected if layer not in expected]
        self.actual = [layer for layer in self.actual if layer not in actual]

    def add_named(self, fits: Fits[L]) -> None:
        """Pair layers with the same name, or the one that Keras allows for the other, if they fit."""
        named = [{plain_name(layer.name): layer for layer in layers} for layers in (self.expected, self.actual)]
        for name, one in named[0].items():
            other = named[1].get(name)
            if other is not None and fits(one, other):
                self.add([one], [other], "name")

    def add_fitting(self, fits: Fits[L], by: PairedBy) -> None:
        """Pair each layer that fits exactly one other, which fits no other layer."""
        fitting = [(one, other) for one in self.expected for other in self.actual if fits(one, other)]
        for one, other in fitting:
            if sum(one is each for each, _ in fitting) == sum(other is each for _, each in fitting) == 1:
                self.add([one], [other], by)

    def add_first_fitting(self, fits: Fits[L], by: PairedBy) -> None:
        """Pair each layer with the first that fits it. Which one it is must not matter."""
        for one in tuple(self.expected):
            other = next((each for each in self.actual if fits(one, each)), None)
            if other is not None:
                self.add([one], [other], by)


def pair_recurrent(
    expected: Sequence[StoredLayer], actual: Sequence[StoredLayer], tolerance: float | None
) -> Pairing[StoredLayer]:
    """Pair the recurrent layers of two files; several layers may belong to one stacked layer of the other file."""
    pairing = Pairing(list(expected), list(actual))
    pairing.add_named(_has_sizes)
    pairing.add_fitting(_all_of(_ends_alike, _has_sizes), "name")
    _pair_numbered(pairing)
    pairing.add_first_fitting(_all_of(_has_sizes, partial(_has_weights, tolerance=None)), "weights")
    pairing.add_fitting(_all_of(_has_sizes, partial(_has_weights, tolerance=tolerance)), "weights")
    _pair_stacks(pairing, partial(has_same_weights, tolerance=tolerance), "weights")
    pairing.add_named(_has_as_many_cells)
    _pair_by_sizes(pairing)
    pairing.add_named(_always)
    _list_candidates(pairing, _has_sizes)
    return pairing


def pair_others(expected: Sequence[OtherLayer], actual: Sequence[OtherLayer], tolerance: float | None) -> Pairing[OtherLayer]:
    """Pair the layers that are not recurrent."""
    pairing = Pairing(list(expected), list(actual))
    pairing.add_named(_may_be_one)
    pairing.add_fitting(_all_of(_ends_alike, _may_be_one), "name")
    pairing.add_first_fitting(partial(_has_arrays, tolerance=None), "weights")
    pairing.add_fitting(partial(_has_arrays, tolerance=tolerance), "weights")
    pairing.add_fitting(_has_array_sizes, "sizes")
    pairing.add_named(_always)
    _list_candidates(pairing, _has_array_sizes)
    return pairing


def _all_of(*conditions: Fits[L]) -> Fits[L]:
    return lambda one, other: all(holds(one, other) for holds in conditions)


def _always(_one: L, _other: L) -> bool:
    return True


def _ends_alike(one: L, other: L) -> bool:
    """Return whether one name is the other with a prefix, such as model.lstm and lstm; "" fits any name."""
    names = _parts(one.name), _parts(other.name)
    count = min(map(len, names))
    return names[0][len(names[0]) - count :] == names[1][len(names[1]) - count :]


@cache
def _parts(name: str) -> tuple[str, ...]:
    return tuple(part for part in re.split(r"[./]", name) if part)


def _has_sizes(one: StoredLayer, other: StoredLayer) -> bool:
    return _sizes(one.cells) == _sizes(other.cells)


def _has_as_many_cells(one: StoredLayer, other: StoredLayer) -> bool:
    return [len(row) for row in one.cells] == [len(row) for row in other.cells]


def _sizes(rows: Sequence[Cells]) -> list[list[tuple[object, ...]]]:
    return [[sizes_of(cell) for cell in row] for row in rows]


def _has_weights(one: StoredLayer, other: StoredLayer, tolerance: float | None) -> bool:
    rows = zip(one.cells, other.cells, strict=True)
    return all(has_same_weights(a, b, tolerance) for row in rows for a, b in zip(*row, strict=True))


def _pair_numbered(pairing: Pairing[StoredLayer]) -> None:
    """Pair a stacked layer with the layers that `port` makes of it, whose names end in _l0, _l1 and so on."""
    for whole, parts, is_expected in _stacked(pairing):
        named = [
            next((each for each in parts if plain_name(each.name) == f"{plain_name(whole.name)}_l{index}"), None)
            for index in range(len(whole.cells))
        ]
        layers = [each for each in named if each is not None]
        if len(layers) == len(named) and _sizes([row for layer in layers for row in layer.cells]) == _sizes(whole.cells):
            _add_stack(pairing, whole, layers, "name", is_expected=is_expected)


def _pair_stacks(pairing: Pairing[StoredLayer], fits: Callable[[StoredCell, StoredCell], bool], by: PairedBy) -> None:
    """Pair each stacked layer with the layers of the other file that fit its layers in order."""
    for whole, parts, is_expected in _stacked(pairing):
        layers = next(_split(whole.cells, parts, fits), None)
        if layers is not None:
            _add_stack(pairing, whole, layers, by, is_expected=is_expected)


def _pair_by_sizes(pairing: Pairing[StoredLayer]) -> None:
    """Pair single layers and stacks that have the same sizes as exactly one of the other file, which has no other choice."""
    possible: list[tuple[tuple[StoredLayer, ...], tuple[StoredLayer, ...]]] = [
        ((one,), (other,)) for one in pairing.expected for other in pairing.actual if _has_sizes(one, other)
    ]
    possible += [
        ((whole,), run) if is_expected else (run, (whole,))
        for whole, parts, is_expected in _stacked(pairing)
        for run in _runs(parts, whole)
    ]
    for expected, actual in possible:
        rivals = [each for each in possible if {*map(id, (*each[0], *each[1]))} & {*map(id, (*expected, *actual))}]
        if len(rivals) == 1:
            pairing.add(expected, actual, "sizes")


def _stacked(pairing: Pairing[StoredLayer]) -> Iterator[tuple[StoredLayer, list[StoredLayer], bool]]:
    """Yield each stacked layer that is left, the layers left in the other file, and whether it is of the first file."""
    for is_expected in (True, False):
        for whole in tuple(pairing.expected if is_expected else pairing.actual):
            if len(whole.cells) > 1:
                yield whole, list(pairing.actual if is_expected else pairing.expected), is_expected


def _add_stack(
    pairing: Pairing[StoredLayer], whole: StoredLayer, parts: Sequence[StoredLayer], by: PairedBy, *, is_expected: bool
) -> None:
    expected, actual = ([whole], parts) if is_expected else (parts, [whole])
    pairing.add(expected, actual, by)


def _split(
    rows: Sequence[Cells], layers: Sequence[StoredLayer], fits: Callable[[StoredCell, StoredCell], bool]
) -> Iterator[list[StoredLayer]]:
    """Yield the ways to build rows of cells from layers."""
    if not rows:
        yield []
    for layer in layers if rows else ():
        count = len(layer.cells)
        begins = _sizes(layer.cells) == _sizes(rows[:count])
        if begins and all(fits(a, b) for pair in zip(layer.cells, rows, strict=False) for a, b in zip(*pair, strict=True)):
            left = [each for each in layers if each is not layer]
            yield from ([layer, *rest] for rest in _split(rows[count:], left, fits))


def _runs(layers: Sequence[StoredLayer], whole: StoredLayer) -> Iterator[tuple[StoredLayer, ...]]:
    """Yield the layers that follow each other in their file and together have the sizes of a stacked layer."""
    for start in range(len(layers)):
        for stop in range(start + 2, len(layers) + 1):
            if _sizes([row for layer in layers[start:stop] for row in layer.cells]) == _sizes(whole.cells):
                yield tuple(layers[start:stop])


def _list_candidates(pairing: Pairing[L], fits: Fits[L]) -> None:
    """List the layers that would fit, but leave a choice, and take them out of those that are left in the second file."""
    fitting = [(one, other) for one in pairing.expected for other in pairing.actual if fits(one, other)]
    for name, group in groupby(fitting, key=lambda pair: pair[0].name):
        pairing.candidates[name] = [other.name for _, other in group]
    taken = [other for _, other in fitting]
    pairing.actual = [layer for layer in pairing.actual if layer not in taken]


def _may_be_one(one: OtherLayer, other: OtherLayer) -> bool:
    """Return whether two layers may be the same one by their kinds."""
    return isinstance(meaning_of(one, other), Meaning) or not (one.stored and other.stored)


def _has_array_sizes(one: OtherLayer, other: OtherLayer) -> bool:
    meaning = meaning_of(one, other) if one.stored and other.stored else ""
    return isinstance(meaning, Meaning) and meaning.has_same_sizes


def _has_arrays(one: OtherLayer, other: OtherLayer, tolerance: float | None) -> bool:
    meaning = meaning_of(one, other) if _has_array_sizes(one, other) else ""
    return isinstance(meaning, Meaning) and all(each.within for each in meaning.compare(tolerance))
