"""The claims about the weights of a port: each array is explained by the right ones, or unrelated, or neither."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from compare.diagnosis.weights import bias_origins as biases
from compare.diagnosis.weights import origins as matrices
from compare.diagnosis.weights.fitting import same
from compare.diagnosis.weights.likeness import correlation, describe_difference, is_unrelated, is_unrelated_bias
from compare.diagnosis.weights.observed import BOTH_BIASES, Claim, Observed, Unit
from compare.diagnosis.weights.origins import MATRICES, Origin, Place, Right
from frameworks.weights import BIASES, DirectionWeights, RecurrentWeights

Array = npt.NDArray[np.floating]
_AXES = {"kernel": ("input", "unit"), "recurrent_kernel": ("unit", "to unit")}


def explain_weights(port: RecurrentWeights, right: Right) -> Observed:
    """Explain each array of a port by the right ones."""
    claims: list[Claim] = []
    unexplained: dict[Unit, str] = {}
    alternatives: dict[Unit, Sequence[Origin]] = {}
    pairs: dict[Unit, biases.BiasOrigin] = {}
    for layer, direction, own in port:
        for part in MATRICES:
            unit, actual = Unit(layer, direction, part), getattr(own, part)
            expected = right.array(unit.place, part)
            every = [Origin(unit.place)] if same(actual, expected) else matrices.origins(actual, right, unit.place, part)
            if every:
                alternatives[unit] = every
            else:
                related = not is_unrelated(actual, right, unit.place, part)
                claims += _unknown(unit, actual, expected, right, unexplained, related=related)
        for unit, known in _explained_biases(Unit(layer, direction, BOTH_BIASES), own, right):
            if known:
                pairs[unit] = known[0]
                claims += _bias_claims(unit, known, right)
            else:
                claims += _unknown_bias(unit, own, right, unexplained)
    agreeing = _agreeing(alternatives, right.spec.gates)
    found = {unit: origins[0] for unit, origins in agreeing.items()}
    for unit, origins in agreeing.items():
        claims += _matrix_claims(unit, origins, right)
    claims = _as_never_copied(claims)
    sources = {unit: origin.source for unit, origin in found.items()} | {unit: origin.source for unit, origin in pairs.items()}
    claims += _moves(sources)
    return Observed(right, port, tuple(claims), unexplained, found, pairs)


def _agreeing(alternatives: Mapping[Unit, Sequence[Origin]], gates: Sequence[str]) -> dict[Unit, Sequence[Origin]]:
    """Put the origin first, of several that make the same array, whose mistake explains the most arrays."""
    counts = Counter(
        mistake
        for unit, every in alternatives.items()
        for mistake in {name for each in every for name in matrices.mistakes_of(each, unit.part, gates)}
    )

    def spread(origin: Origin, part: str) -> int:
        return -sum(counts[mistake] for mistake in matrices.mistakes_of(origin, part, gates))

    return {unit: sorted(every, key=lambda each, part=unit.part: spread(each, part)) for unit, every in alternatives.items()}  # type: ignore[misc]


def _unknown(
    unit: Unit, actual: Array, expected: Array, right: Right, unexplained: dict[Unit, str], *, related: bool
) -> Iterator[Claim]:
    if not np.isfinite(actual).all():
        yield Claim("not-a-number", unit, found=f"{np.count_nonzero(~np.isfinite(actual))} numbers that are not finite")
    elif related:
        unexplained[unit] = describe_difference(actual, expected, right.spec.gates, _AXES.get(unit.part, ("unit",)))
    else:
        found = f"other numbers, correlation {correlation(actual, expected):.2f}" if actual.any() else "zeros"
        yield Claim("not-copied", unit, found=found, must_be="the right array")


def _matrix_claims(unit: Unit, every: Sequence[Origin], right: Right) -> Iterator[Claim]:
    named = [matrices.mistakes_of(each, unit.part, right.spec.gates) for each in every]
    others = {mistake for each in named[1:] for mistake in each} - set(named[0])
    gates = right.spec.gates
    for mistake, confined in named[0].items():
        found, must_be = _words(mistake, every[0], gates)
        structural = mistake not in ("gates-permuted", "scaled", "rounded", "inputs-permuted", "units-permuted")
        yield Claim(mistake, unit, confined, found, must_be, tuple(sorted(others)) if structural else ())


def _words(mistake: str, origin: Origin, gates: Sequence[str]) -> tuple[str, str]:
    fits = origin.fits
    words: Mapping[str, Callable[[], tuple[str, str]]] = {
        "gates-permuted": lambda: _order_in_words(origin.gates, gates),
        "scaled": lambda: (f"multiplied by {', '.join(f'{each:g}' for each in _scales(origin))}", "as it is"),
        "rounded": lambda: (f"rounded to {next(each.rounded for each in fits if each.rounded)}", "not rounded"),
        "inputs-permuted": lambda: (f"input features {_shown(fits[0].rows)}", "0, 1, 2, ..., as the right layer reads them"),
        "units-permuted": lambda: (f"units {_shown(fits[0].columns or fits[0].rows)}", "0, 1, 2, ..., as in the right layer"),
    }
    if mistake in words:
        return words[mistake]()
    return "reshaped blocks" if "reshaped" in mistake else "blocks of another layout", "the transpose of the whole array"


def _scales(origin: Origin) -> list[float]:
    return sorted({round(each.scale, 6) for each in origin.fits if each.scale != 1})


def _order_in_words(order: Sequence[int], gates: Sequence[str]) -> tuple[str, str]:
    return f"in the place of {', '.join(gates)}: {', '.join(gates[gate] for gate in order)}", ", ".join(gates)


def _shown(order: Sequence[int]) -> str:
    return ", ".join(map(str, order[:8])) + (", ..." if len(order) > 8 else "")


def _explained_biases(both: Unit, own: DirectionWeights, right: Right) -> Iterator[tuple[Unit, Sequence[biases.BiasOrigin]]]:
    """Yield the biases that were explained, together or each on its own, with their origins; without any if it was neither."""
    pair, expected = biases.pair_of(own), biases.pair_of(right.weights.layers[both.layer][both.direction])
    acting: Array = biases.effective(pair, right.spec)
    wanted: Array = biases.effective(expected, right.spec)
    if own.recurrent_bias is None and right.spec.has_two_biases:  # a layer that adds them up, which is another mistake
        acting, wanted = pair[0], expected[0] + expected[1]
    if same(acting, wanted):
        yield both, [biases.BiasOrigin(both.place, gates=tuple(range(len(pair[0]))))]
        return
    fresh = _is_initial(acting, right.spec.gates)
    together = biases.bias_origins(pair, right, both.place) if np.isfinite(acting).all() and not fresh else []
    if together or fresh or own.recurrent_bias is None:
        yield both, together
        return
    units = [replace(both, part=part) for part in BIASES]
    apart = [biases.part_origins(array, right, both.place, number) for number, array in enumerate(pair)]
    if any(apart):
        yield from zip(units, apart, strict=True)
    else:
        yield both, []


def _unknown_bias(unit: Unit, own: DirectionWeights, right: Right, unexplained: dict[Unit, str]) -> Iterator[Claim]:
    pair, expected = biases.pair_of(own), biases.pair_of(right.weights.layers[unit.layer][unit.direction])
    every = [biases.pair_of(one) for *_, one in right.weights]
    apart = [one for two in every for one in two]
    if unit.part == BOTH_BIASES:
        acting: Array = pair[0] + pair[1]
        wanted: Array = expected[0] + expected[1]
        parts = [acting, *(each for each in pair if each.any())]
        related = not all(is_unrelated_bias(each, [*(one + two for one, two in every), *apart]) for each in parts)
    else:
        number = BIASES.index(unit.part)
        acting, wanted = pair[number], expected[number]
        related = not is_unrelated_bias(acting, apart)
    related = related and not _is_initial(acting, right.spec.gates)
    yield from _unknown(unit, acting, wanted, right, unexplained, related=related)


def _is_initial(bias: Array, gates: Sequence[str]) -> bool:
    """Return whether a bias is the one that a new Keras LSTM has: zeros, and ones at the forget gate."""
    return "forget" in gates and bool((bias[: len(gates)] == np.array([gate == "forget" for gate in gates])[:, None]).all())


def _bias_claims(unit: Unit, every: Sequence[biases.BiasOrigin], right: Right) -> Iterator[Claim]:
    first = every[0]
    others = {mistake for each in every[1:] for mistake in each.mistakes} - set(first.mistakes)
    bias, second = biases.pair_of(right.at(first.source))
    if "bias-dropped" in first.mistakes and _is_initial(bias + second, right.spec.gates):
        others.add("forget-bias-missing")
    for mistake in first.mistakes:
        found, must_be = "", "the right bias"
        if mistake == "gates-permuted":
            found, must_be = _order_in_words(first.gates, right.spec.gates)
        elif first.change is not None and biases.CHANGES[first.change].mistake == mistake:
            found = biases.CHANGES[first.change].found
        elif mistake == first.offset:
            found = biases.offset_in_words(mistake)
        else:
            found, must_be = _words(mistake, Origin(first.source, fits=(first.fit,)), right.spec.gates)
        confined = ("forget",) if mistake.startswith("forget") else ()
        yield Claim(mistake, unit, confined, found, must_be, tuple(sorted(others)))


def _as_never_copied(claims: Sequence[Claim]) -> list[Claim]:
    """Name zero biases not-copied, too, if the matrices of their direction were never copied."""
    fresh = {
        part: {claim.unit.place for claim in claims if claim.mistake == "not-copied" and claim.unit.part == part}
        for part in MATRICES
    }
    kept = []
    for claim in claims:
        is_fresh = all(claim.unit.place in each for each in fresh.values())
        if is_fresh and claim.mistake in ("bias-dropped", "recurrent-bias-dropped"):
            kept.append(replace(claim, mistake="not-copied", twins=(claim.mistake,)))
        else:
            kept.append(claim)
    return kept


def _moves(moved: Mapping[Unit, Place]) -> Iterator[Claim]:
    """Yield the claims about arrays that are those of another place."""
    away = {unit: source for unit, source in moved.items() if source != unit.place}
    for unit, source in away.items():
        for mistake in _kinds_of_move(unit, source, moved):
            if mistake == "layers-swapped":
                found = f"layers {min(unit.layer, source[0])} and {max(unit.layer, source[0])}, exchanged"
                yield Claim(mistake, unit, found=found, must_be="each in its own place")
            else:
                found, must_be = (f"that of layer {place[0]}, direction {place[1]}" for place in (source, unit.place))
                yield Claim(mistake, unit, found=found, must_be=must_be)


def _kinds_of_move(unit: Unit, source: Place, moved: Mapping[Unit, Place]) -> tuple[str, ...]:
    back = moved.get(Unit(*source, unit.part))
    same_layer, same_direction = source[0] == unit.layer, source[1] == unit.direction
    if back == unit.place:
        return ("layers-swapped",) * (not same_layer) + ("directions-swapped",) * (not same_direction)
    return ("direction-repeated",) if same_layer and back == source else ("from-another-layer",)
