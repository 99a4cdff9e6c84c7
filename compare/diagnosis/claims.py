"""The mistakes in the weights of a port: claims about its arrays, each of which can be undone on its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from compare.diagnosis import bias_origins as biases
from compare.diagnosis import origins as matrices
from compare.diagnosis.fitting import Fit, alike, same
from compare.diagnosis.origins import MATRICES, Origin, Place, Right, correlation
from frameworks.weights import DirectionWeights, RecurrentWeights

Array = npt.NDArray[np.floating]
_UNRELATED = 0.15
"""Below this correlation, or four standard errors, an array has nothing to do with the right one."""


@dataclass(frozen=True)
class Unit:
    """A part of one direction: its kernel, its recurrent kernel, or its biases together ("bias")."""

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
        unexplained: the units that are neither right nor explained, with their correlation.
        unseen: differences that this data cannot show, in words.
    """

    right: Right
    port: RecurrentWeights
    claims: tuple[Claim, ...]
    unexplained: Mapping[Unit, float]
    _matrices: Mapping[Unit, Origin] = field(default_factory=dict)
    _biases: Mapping[Unit, biases.BiasOrigin] = field(default_factory=dict)

    def without(self, mistakes: Iterable[str]) -> RecurrentWeights:
        """Return the port's weights with these mistakes undone."""
        undone = set(mistakes)
        layers = []
        for layer, directions in enumerate(self.port.layers):
            layers.append(tuple(self._direction((layer, number), one, undone) for number, one in enumerate(directions)))
        return RecurrentWeights(tuple(layers))

    def _direction(self, place: Place, own: DirectionWeights, undone: set[str]) -> DirectionWeights:
        changed: dict[str, Array | None] = {part: self._matrix(Unit(*place, part), own, undone) for part in MATRICES}
        bias, second = self._pair(Unit(*place, "bias"), own, undone)
        right = self.right.weights.layers[place[0]][place[1]]
        keeps_two = right.recurrent_bias is not None or own.recurrent_bias is not None
        changed["bias"] = None if right.bias is None and own.bias is None else (bias if keeps_two else bias + second)
        changed["recurrent_bias"] = second if keeps_two and changed["bias"] is not None else None
        return replace(own, **changed)  # type: ignore[arg-type]

    def _matrix(self, unit: Unit, own: DirectionWeights, undone: set[str]) -> Array:
        actual: Array = getattr(own, unit.part)
        concerned = {claim.mistake for claim in self.claims if claim.unit == unit}
        if not concerned & undone:
            return actual
        if concerned <= undone or unit not in self._matrices:
            return self.right.array(unit.place, unit.part)
        return matrices.make(_repaired(self._matrices[unit], unit, undone, self.claims), self.right, unit.place, unit.part)

    def _pair(self, unit: Unit, own: DirectionWeights, undone: set[str]) -> biases.Pair:
        concerned = {claim.mistake for claim in self.claims if claim.unit == unit}
        if not concerned & undone:
            return biases.pair_of(own)
        if concerned <= undone or unit not in self._biases:
            return biases.pair_of(self.right.weights.layers[unit.layer][unit.direction])
        origin = self._biases[unit]
        kept = replace(
            origin,
            source=unit.place if _place_mistakes(self.claims, unit) & undone else origin.source,
            change=("", 0) if origin.change[0] in undone else origin.change,
            offset="" if origin.offset in undone else origin.offset,
            gates=tuple(range(len(origin.gates))) if "gates-permuted" in undone else origin.gates,
            fit=_repaired_fit(origin.fit, undone),
        )
        return biases.make(kept, self.right)


_PLACES = ("directions-swapped", "direction-repeated", "layers-swapped", "from-another-layer")


def _place_mistakes(claims: Iterable[Claim], unit: Unit) -> set[str]:
    return {claim.mistake for claim in claims if claim.unit == unit and claim.mistake in _PLACES}


def _repaired(origin: Origin, unit: Unit, undone: set[str], claims: Iterable[Claim]) -> Origin:
    named = matrices.mistakes_of(
        replace(origin, gates=tuple(range(len(origin.gates))), before=(), fits=()), unit.place, unit.part, ()
    )
    count = len(origin.gates)
    kept = origin
    if set(named) & undone:
        kept = replace(kept, structure=None)
    if "gates-permuted" in undone:
        kept = replace(kept, before=kept.exchange if kept.structure is not None else (), gates=tuple(range(count)))
    elif kept.structure is None and kept.exchange and kept.in_order:
        kept = replace(kept, before=(), gates=tuple(range(count)))
    if _place_mistakes(claims, unit) & undone:
        kept = replace(kept, source=unit.place)
    return replace(kept, fits=tuple(_repaired_fit(each, undone) for each in kept.fits))


def _repaired_fit(fit: Fit, undone: set[str]) -> Fit:
    return replace(
        fit,
        scale=1.0 if "scaled" in undone else fit.scale,
        rounded="" if "rounded" in undone else fit.rounded,
        rows=() if "inputs-permuted" in undone else fit.rows,
        columns=() if "units-permuted" in undone else fit.columns,
    )


def explain_weights(port: RecurrentWeights, right: Right) -> Observed:
    """Explain each array of a port by the right ones."""
    claims: list[Claim] = []
    unexplained: dict[Unit, float] = {}
    found: dict[Unit, Origin] = {}
    pairs: dict[Unit, biases.BiasOrigin] = {}
    moved: dict[Unit, Place] = {}
    for layer, direction, own in port:
        place = layer, direction
        orders = []
        for part in MATRICES:
            unit, actual = Unit(layer, direction, part), getattr(own, part)
            expected = right.array(place, part)
            every = [Origin(place)] if same(actual, expected) else matrices.origins(actual, right, place, part)
            if not every:
                claims += _unrelated(unit, actual, expected, unexplained)
                continue
            found[unit] = every[0]
            moved[unit] = every[0].source
            orders += [every[0].gates] if every[0].gates else []
            claims += _matrix_claims(unit, every, right)
        unit = Unit(layer, direction, "bias")
        actual_pair, expected_pair = biases.pair_of(own), biases.pair_of(right.weights.layers[layer][direction])
        acting, wanted = (biases.effective(pair, right.spec) for pair in (actual_pair, expected_pair))
        if same(acting, wanted):
            moved[unit] = place
            continue
        known = biases.bias_origins(actual_pair, right, place, [order for order in orders if order])
        if not known:
            claims += _unrelated(unit, acting, wanted, unexplained)
            continue
        pairs[unit] = known[0]
        moved[unit] = known[0].source
        claims += _bias_claims(unit, known, right)
    claims += _moves(moved)
    return Observed(right, port, tuple(claims), unexplained, found, pairs)


def _unrelated(unit: Unit, actual: Array, expected: Array, unexplained: dict[Unit, float]) -> Iterator[Claim]:
    if not np.isfinite(actual).all():
        yield Claim("not-a-number", unit, found=f"{np.count_nonzero(~np.isfinite(actual))} numbers that are not finite")
        return
    related = abs(correlation(actual, expected))
    if related < max(_UNRELATED, 4 / actual.size**0.5) and not (alike(actual, expected) and actual.size > 64):
        yield Claim(
            "not-copied",
            unit,
            found=f"other numbers, correlation {correlation(actual, expected):.2f}",
            must_be="the right array",
        )
    else:
        unexplained[unit] = correlation(actual, expected)


def _matrix_claims(unit: Unit, every: Sequence[Origin], right: Right) -> Iterator[Claim]:
    named = [matrices.mistakes_of(each, unit.place, unit.part, right.spec.gates) for each in every]
    others = {mistake for each in named[1:] for mistake in each} - set(named[0])
    gates = right.spec.gates
    for mistake, confined in named[0].items():
        found, must_be = _words(mistake, every[0], gates)
        structural = mistake not in ("gates-permuted", "scaled", "rounded", "inputs-permuted", "units-permuted")
        yield Claim(mistake, unit, confined, found, must_be, tuple(sorted(others)) if structural else ())


def _words(mistake: str, origin: Origin, gates: Sequence[str]) -> tuple[str, str]:
    if mistake == "gates-permuted":
        order = [gates[gate] for gate in (origin.before or origin.gates)]
        return f"in the place of {', '.join(gates)}: {', '.join(order)}", ", ".join(gates)
    if mistake == "scaled":
        scales = sorted({round(each.scale, 6) for each in origin.fits if each.scale != 1})
        return f"multiplied by {', '.join(f'{scale:g}' for scale in scales)}", "as it is"
    if mistake == "rounded":
        return f"rounded to {next(each.rounded for each in origin.fits if each.rounded)}", "as it is"
    return "", ""


def _bias_claims(unit: Unit, every: Sequence[biases.BiasOrigin], right: Right) -> Iterator[Claim]:
    first = every[0].mistakes(unit.place)
    others = {mistake for each in every[1:] for mistake in each.mistakes(unit.place)} - set(first)
    gates = right.spec.gates
    for mistake in first:
        found, must_be = "", ""
        if mistake == "gates-permuted":
            found = f"in the place of {', '.join(gates)}: {', '.join(gates[gate] for gate in every[0].gates)}"
            must_be = ", ".join(gates)
        confined = ("forget",) if mistake.startswith("forget") else ()
        yield Claim(mistake, unit, confined, found, must_be, tuple(sorted(others)))


def _moves(moved: Mapping[Unit, Place]) -> Iterator[Claim]:
    """Yield the claims about arrays that are those of another place."""
    away = {unit: source for unit, source in moved.items() if source != unit.place}
    for unit, source in away.items():
        yield Claim(_kind_of_move(unit, source, moved), unit, found=f"that of layer {source[0]}, direction {source[1]}")


def _kind_of_move(unit: Unit, source: Place, moved: Mapping[Unit, Place]) -> str:
    back = moved.get(Unit(*source, unit.part))
    if source[0] == unit.layer:
        return "directions-swapped" if back == unit.place else "direction-repeated" if back == source else "from-another-layer"
    return "layers-swapped" if back == unit.place else "from-another-layer"
