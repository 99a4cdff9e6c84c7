"""The weights of a port, explained by claims, each of which can be undone on its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from compare.diagnosis.weights import bias_origins as biases
from compare.diagnosis.weights import origins as matrices
from compare.diagnosis.weights.fitting import Fit
from compare.diagnosis.weights.origins import MATRICES, Origin, Place, Right
from compare.diagnosis.weights.structures import STRUCTURES
from frameworks.weights import BIASES, DirectionWeights, RecurrentWeights

Array = npt.NDArray[np.floating]
BOTH_BIASES = "biases"
"""The part of a unit that is both biases together."""
_LAYERS, _DIRECTIONS = (
    ("layers-swapped", "from-another-layer"),
    ("directions-swapped", "direction-repeated", "from-another-layer"),
)


@dataclass(frozen=True)
class Unit:
    """A part of one direction: its kernel, its recurrent kernel, a bias, or both biases together ("biases")."""

    layer: int
    direction: int
    part: str

    @property
    def place(self) -> Place:
        """The layer and the direction."""
        return self.layer, self.direction


@dataclass(frozen=True)
class Claim:
    """One mistake in one unit.

    Args:
        mistake: its identifier.
        unit: the unit.
        gates: the gates that it is confined to; () for all.
        found: what the port has.
        must_be: what it must have.
        twins: identifiers of other mistakes that make the same array.
    """

    mistake: str
    unit: Unit
    gates: tuple[str, ...] = ()
    found: str = ""
    must_be: str = ""
    twins: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Observed:
    """The weights of a port, explained.

    Args:
        right: the right layer.
        port: the weights of the port, canonical, gates in canonical order.
        claims: the mistakes found.
        unexplained: what is known, in words, of each unit that is neither right nor explained.
        made: how each matrix that is explained was made.
        made_biases: likewise each bias, or both biases of a direction.
    """

    right: Right
    port: RecurrentWeights
    claims: tuple[Claim, ...] = ()
    unexplained: Mapping[Unit, str] = field(default_factory=dict)
    made: Mapping[Unit, Origin] = field(default_factory=dict)
    made_biases: Mapping[Unit, biases.BiasOrigin] = field(default_factory=dict)

    def without(self, mistakes: Iterable[str]) -> RecurrentWeights:
        """Return the port's weights with these mistakes undone."""
        undone = set(mistakes)
        layers = []
        for layer, directions in enumerate(self.port.layers):
            layers.append(tuple(self._direction((layer, number), one, undone) for number, one in enumerate(directions)))
        return RecurrentWeights(tuple(layers))

    def notes(self) -> Iterator[str]:
        """Yield what is known of each unit that is neither right nor explained, and what was ruled out."""
        for unit, known in self.unexplained.items():
            part = "bias" if unit.part == BOTH_BIASES else unit.part.replace("_", " ")
            yield f"the {part} of layer {unit.layer}, direction {unit.direction} is not the right one: {known}"
        if self.unexplained:
            yield (
                "ruled out for it: the array of another layer or direction, reshaped, not transposed, in CuDNN's layout, with "
                "another order of gates, inputs or units, a positive factor or a rounding; and unrelated numbers"
            )
            for mistake in dict.fromkeys(claim.mistake for claim in self.claims):
                yield f"besides, in other arrays: {mistake}"

    def _direction(self, place: Place, own: DirectionWeights, undone: set[str]) -> DirectionWeights:
        changed: dict[str, Array | None] = {part: self._matrix(Unit(*place, part), own, undone) for part in MATRICES}
        bias, second = self._pair(place, own, undone)
        right = self.right.weights.layers[place[0]][place[1]]
        keeps_two = right.recurrent_bias is not None or own.recurrent_bias is not None
        changed["bias"] = None if right.bias is None and own.bias is None else (bias if keeps_two else bias + second)
        changed["recurrent_bias"] = second if keeps_two and changed["bias"] is not None else None
        return replace(own, **changed)  # type: ignore[arg-type]

    def _mistakes(self, unit: Unit) -> set[str]:
        return {claim.mistake for claim in self.claims if claim.unit == unit}

    def _matrix(self, unit: Unit, own: DirectionWeights, undone: set[str]) -> Array:
        actual: Array = getattr(own, unit.part)
        concerned = self._mistakes(unit)
        if not concerned & undone:
            return actual
        if concerned <= undone or unit not in self.made:
            return self.right.array(unit.place, unit.part)
        return matrices.make(_repaired(self.made[unit], unit, undone), self.right, unit.place, unit.part)

    def _pair(self, place: Place, own: DirectionWeights, undone: set[str]) -> biases.Pair:
        pair, right = biases.pair_of(own), biases.pair_of(self.right.weights.layers[place[0]][place[1]])
        both = Unit(*place, BOTH_BIASES)
        if self._mistakes(both):
            return self._bias(both, pair, right, undone)
        first, second = (
            self._bias(Unit(*place, part), (pair[number],) * 2, (right[number],) * 2, undone)[number]
            for number, part in enumerate(BIASES)
        )
        return first, second

    def _bias(self, unit: Unit, own: biases.Pair, right: biases.Pair, undone: set[str]) -> biases.Pair:
        concerned = self._mistakes(unit)
        if not concerned & undone:
            return own
        if concerned <= undone or unit not in self.made_biases:
            return right
        origin = self.made_biases[unit]
        kept = replace(
            origin,
            source=_source(origin.source, unit.place, undone),
            change=None if origin.change is None or biases.CHANGES[origin.change].mistake in undone else origin.change,
            offset="" if origin.offset in undone else origin.offset,
            gates=tuple(range(len(origin.gates))) if "gates-permuted" in undone else origin.gates,
            fit=_repaired_fit(origin.fit, undone, unit.part),
        )
        return biases.make(kept, self.right)


def _source(source: Place, own: Place, undone: set[str]) -> Place:
    layer, direction = source
    return own[0] if undone & set(_LAYERS) else layer, own[1] if undone & set(_DIRECTIONS) else direction


def _repaired(origin: Origin, unit: Unit, undone: set[str]) -> Origin:
    in_order = tuple(range(len(origin.gates)))
    gates, wanted, after, structure = origin.gates, origin.wanted, origin.after, origin.structure
    if "gates-permuted" in undone:
        gates = wanted or in_order
    if structure is not None and STRUCTURES[structure].mistakes[unit.part] in undone:
        gates, wanted, after, structure = in_order if gates == wanted else gates, (), (), None
    fits = tuple(_repaired_fit(each, undone, unit.part) for each in origin.fits)
    source = _source(origin.source, unit.place, undone)
    return replace(origin, source=source, structure=structure, after=after, wanted=wanted, gates=gates, fits=fits)


def _repaired_fit(fit: Fit, undone: set[str], part: str) -> Fit:
    rows = "inputs-permuted" if part == "kernel" else "units-permuted"
    return replace(
        fit,
        scale=1.0 if "scaled" in undone else fit.scale,
        rounded="" if "rounded" in undone else fit.rounded,
        rows=() if rows in undone else fit.rows,
        columns=() if "units-permuted" in undone else fit.columns,
    )
