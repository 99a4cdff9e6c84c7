"""From the slips and wrong results of a call to findings, each confirmed by what is left once it is undone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from compare.diagnosis.call.call_search import Explanation, Results, Taken, error, explain_with, right_expressions
from compare.diagnosis.call.expressions import undone
from compare.diagnosis.call.simulation import Situation, Slip
from compare.diagnosis.mistakes import fix_of
from compare.diagnosis.result import Finding

if TYPE_CHECKING:
    from typing_extensions import Self

Array = npt.NDArray[np.floating]
_AMPLIFIED = 30
"""How many times the effect of one rounding of the inputs a simulation may be off."""


def confirm(found: Sequence[Explanation], results: Results, wrong: Situation | None = None) -> list[Explanation]:
    """Return the explanations that hold for all data, not only for the part that was searched.

    Args:
        found: the explanations.
        results: the results of both sides on all data.
        wrong: the call with the weights of the port, if they are not the right ones.
    """
    situation = wrong or results.situation
    wanted = right_expressions(results)
    confirmed: list[Explanation] = []
    for explanation in found if wanted else ():
        whole = explain_with(explanation.slips, wanted, results, situation)
        if whole is None:
            whole = explain_with(explanation.slips, wanted, _coarser(results, explanation.slips, situation), situation)
        if whole is not None and whole.cost <= explanation.cost:
            confirmed.append(whole)
    return confirmed


def _coarser(results: Results, slips: tuple[Slip, ...], situation: Situation) -> Results:
    """Return the results with a tolerance for what one rounding of the inputs becomes in a chaotic recurrence."""
    signs = np.random.default_rng(0).choice((-1.0, 1.0), situation.inputs.shape)
    unit = np.finfo(situation.inputs.dtype).eps
    moved = replace(situation, inputs=situation.inputs.astype(np.float64) * (1 + unit * signs))
    pairs = zip(results.values(slips, situation).values(), results.values(slips, moved).values(), strict=True)
    effect = max(error(one.value, other.value) / max(1.0, float(np.abs(one.value).max(initial=0))) for one, other in pairs)
    return replace(results, tolerance=min(max(results.tolerance, _AMPLIFIED * effect), 1e-2))


@dataclass
class Left:
    """What is left of an explanation while its mistakes are undone one after the other.

    Args:
        slips: the slips that are left.
        taken: what the port returns.
        results: the results of both sides, on all data.
        unexplained: how far the explanation is from what the port returns, on the scale of the right results.
    """

    slips: list[Slip]
    taken: list[Taken]
    results: Results
    unexplained: float

    @classmethod
    def of(cls, explanation: Explanation, results: Results, wrong: Situation | None = None) -> Self:
        """Return all of an explanation; `wrong` is the call with the weights of the port, if they are not the right ones."""
        every = results.values(explanation.slips, wrong)
        values = [each.value(every) for each in explanation.taken]
        each = zip(values, results.port, results.right, strict=True)
        unexplained = max(np.inf if one is None else error(one, port) / _size(port) * _size(right) for one, port, right in each)
        return cls(list(explanation.slips), list(explanation.taken), results, unexplained)

    def off(self) -> float:
        """Return the largest difference from the right results."""
        every = self.results.values(tuple(self.slips))
        values = [each.value(every) for each in self.taken]
        pairs = zip(values, self.results.right, strict=True)
        return max(self.unexplained, *(np.inf if value is None else error(value, right) for value, right in pairs))


def _size(array: Array) -> float:
    return max(1.0, float(np.abs(array).max(initial=0)))


def call_findings(found: Sequence[Explanation], left: Left, off: float) -> list[Finding]:
    """Return the findings of the likeliest explanation of a call, each with what is left after it is undone.

    Args:
        found: the explanations, the likeliest first.
        left: all of the first one.
        off: the largest difference from the right results.
    """
    twins = _twins(found)
    findings = [*_slip_findings(left, off, twins)]
    return [*findings, *_result_findings(left, left.off() if findings else off, twins)]


def _slip_findings(left: Left, before: float, twins: dict[str, tuple[str, ...]]) -> Iterator[Finding]:
    for slip in tuple(left.slips):
        left.slips.remove(slip)
        after = left.off()
        mistake = slip.mistake
        yield Finding(mistake, {}, slip.found, slip.must_be, fix_of(mistake), before, after, twins.get(mistake, ()))
        before = after


def _result_findings(left: Left, before: float, twins: dict[str, tuple[str, ...]]) -> Iterator[Finding]:
    every = left.results.values(()).values()
    for mistake, places in _by_mistake(left.taken).items():
        for place in places:
            now = left.taken[place.index].found
            rest = place.right if place.part is not None else undone(now, place.right, mistake, every)
            if mistake == "state-directions-swapped":
                rest = place.right
            left.taken[place.index] = Taken(place.index, place.right, rest)
        after = left.off()
        others = {twin for place in places for twin in place.twins} | set(twins.get(mistake, ()))
        if mistake == "states-swapped" and len({place.right.what for place in places}) == 1:
            others.add("wrong-result")  # one is returned in the place of the other, and not the other way round
        yield replace(
            _result_finding(mistake, places, left), error_before=before, error_after=after, twins=tuple(sorted(others))
        )
        before = after


def _result_finding(mistake: str, places: Sequence[Taken], left: Left) -> Finding:
    several = len(left.taken) > 1
    where: dict[str, int | str] = {"result": places[0].index} if several and len(places) == 1 else {}
    parts = {place.part for place in places}
    part = parts.pop() if len(parts) == 1 else None
    if part is not None and part.rows:
        where["rows"] = ", ".join(map(str, part.rows))
    many = several and len(places) > 1
    found = "; ".join(_of(place.index, place.found.text, many=many) for place in places)
    must_be = "; ".join(_of(place.index, place.right.text, many=many) for place in places)
    fix = _IN_ORDER if part is not None and part.order else fix_of(mistake, must_be=must_be)
    return Finding(mistake, where, found, must_be, fix)


_IN_ORDER = "Put the rows back into the order of the batch: result[order.argsort()] undoes x[order]."


def _of(index: int, text: str, *, many: bool) -> str:
    return f"result[{index}] = {text}" if many else text


def _by_mistake(taken: Sequence[Taken]) -> dict[str, list[Taken]]:
    named: dict[str, list[Taken]] = {}
    for each in taken:
        for mistake in each.mistakes:
            named.setdefault(mistake, []).append(each)
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


def _twins(found: Sequence[Explanation]) -> dict[str, tuple[str, ...]]:
    """Return, for each mistake of the first explanation, what the other explanations have in its place."""
    first = set(found[0].mistakes)
    twins: dict[str, set[str]] = {}
    for other in found[1:]:
        only_first, only_other = first - set(other.mistakes), set(other.mistakes) - first
        for mistake in only_first:
            twins.setdefault(mistake, set()).update(only_other)
    return {mistake: tuple(sorted(each)) for mistake, each in twins.items()}
