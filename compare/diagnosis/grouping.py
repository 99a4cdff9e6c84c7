"""From claims, slips and wrong results to findings: one for each mistake, with the place that it is confined to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from compare.diagnosis.call_search import Explanation, Results, Taken, error
from compare.diagnosis.copying_lines import copying_lines
from compare.diagnosis.expressions import expressions, mistake_of
from compare.diagnosis.mistakes import fix_of
from compare.diagnosis.observed import BOTH_BIASES, Claim, Observed
from compare.diagnosis.result import Finding
from compare.diagnosis.simulation import Slip, run

_PARTS = {
    "kernel": "kernel",
    "recurrent_kernel": "recurrent kernel",
    "bias": "bias",
    "recurrent_bias": "recurrent bias",
    BOTH_BIASES: "bias",
}


def weight_findings(observed: Observed) -> list[Finding]:
    """Return one finding for each mistake among the claims about weights; roundings first, because they are undone first."""
    grouped: dict[str, list[Claim]] = {}
    for claim in sorted(observed.claims, key=lambda claim: claim.mistake != "rounded"):
        grouped.setdefault(claim.mistake, []).append(claim)
    return [_weight_finding(mistake, each, observed) for mistake, each in grouped.items()]


def _weight_finding(mistake: str, claims: Sequence[Claim], observed: Observed) -> Finding:
    spec = observed.right.spec
    where: dict[str, int | str] = {}
    for axis, count in (("layer", spec.num_layers), ("direction", spec.num_directions)):
        values = {getattr(claim.unit, axis) for claim in claims}
        if count > 1 and len(values) == 1:
            where[axis] = values.pop()
    parts = {_PARTS[claim.unit.part] for claim in claims}
    if mistake == "recurrent-bias-dropped":
        parts = {"recurrent bias"}
    if len(parts) == 1:
        where["part"] = parts.pop()
    gates = {claim.gates for claim in claims}
    if len(gates) == 1 and len(next(iter(gates))) == 1:
        where["gate"] = next(iter(gates))[0]
    found, must_be = (" / ".join(dict.fromkeys(each)) for each in zip(*((c.found, c.must_be) for c in claims), strict=True))
    twins = tuple(sorted({twin for claim in claims for twin in claim.twins} - {mistake}))
    fix = copying_lines([claim.unit for claim in claims], observed.right)
    return Finding(mistake, where, found, must_be, fix, twins=twins)


def call_findings(found: Sequence[Explanation], results: Results, off: float) -> list[Finding]:
    """Return the findings of the likeliest explanation of a call, each with what is left after it is undone."""
    first = found[0]
    twins = _twins(found)
    findings: list[Finding] = []
    slips, taken, before = list(first.slips), list(first.taken), off
    for slip in first.slips:
        slips.remove(slip)
        after = _off(slips, taken, results)
        findings.append(
            Finding(
                slip.mistake, {}, slip.found, slip.must_be, fix_of(slip.mistake), before, after, twins.get(slip.mistake, ())
            )
        )
        before = after
    for mistake, places in _by_mistake(taken).items():
        for place in places:
            taken[place.index] = Taken(place.index, place.right, place.right)
        after = _off(slips, taken, results)
        where: dict[str, int | str] = {"result": places[0].index} if len(places) == 1 and len(taken) > 1 else {}
        found_text = "; ".join(dict.fromkeys(place.found.text for place in places))
        must_be = "; ".join(dict.fromkeys(place.right.text for place in places))
        fix = must_be if mistake in ("wrong-result", "merge-mode") else fix_of(mistake)
        others = {other for place in places for other in _other_names(place)} | set(twins.get(mistake, ()))
        findings.append(Finding(mistake, where, found_text, must_be, fix, before, after, tuple(sorted(others - {mistake}))))
        before = after
    return findings


def _other_names(place: Taken) -> set[str]:
    return {mistake_of(each, place.right) for each in place.twins}


def _by_mistake(taken: Sequence[Taken]) -> dict[str, list[Taken]]:
    named: dict[str, list[Taken]] = {}
    for each in taken:
        if each.mistake:
            named.setdefault(each.mistake, []).append(each)
    if _is_exchange(named.get("wrong-result", ())):
        named["state-directions-swapped"] = named.pop("wrong-result")
    return named


def _is_exchange(places: Sequence[Taken]) -> bool:
    """Return whether states of the two directions stand in each other's place, and nothing else is wrong."""
    pairs = {(place.right.what, place.right.layer, place.right.half, place.found.half) for place in places}
    return bool(pairs) and all(
        (place.found.what, place.found.layer) == (place.right.what, place.right.layer)
        and "both" not in (place.found.half, place.right.half)
        and (place.right.what, place.right.layer, place.found.half, place.right.half) in pairs
        for place in places
    )


def _off(slips: Sequence[Slip], taken: Sequence[Taken], results: Results) -> float:
    every = {each.text: each for each in expressions(run(results.situation, tuple(slips)), results.situation.spec)}
    return max(
        error(np.asarray(every[each.found.text].value), np.asarray(right)) if each.found.text in every else np.inf
        for each, right in zip(taken, results.right, strict=True)
    )


def _twins(found: Sequence[Explanation]) -> dict[str, tuple[str, ...]]:
    """Return, for each mistake of the first explanation, what the other explanations have in its place."""
    first = _names(found[0])
    twins: dict[str, set[str]] = {}
    for other in found[1:]:
        only_first, only_other = first - _names(other), _names(other) - first
        for mistake in only_first:
            twins.setdefault(mistake, set()).update(only_other)
    return {mistake: tuple(sorted(each)) for mistake, each in twins.items()}


def _names(explanation: Explanation) -> set[str]:
    return {slip.mistake for slip in explanation.slips} | {each.mistake for each in explanation.taken if each.mistake}
