"""Finding the slips of a port's call: the fewest that, with right weights, make all of its results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from compare.diagnosis.call.expressions import Expression, expressions, mistakes_of
from compare.diagnosis.call.row_search import Part, match_by_rows
from compare.diagnosis.call.simulation import Situation, Slip, call_slips, recurrence_slips, run
from compare.groundwork.progress import track

Array = npt.NDArray[np.floating]
MOST = 3
"""The largest number of slips of recurrence and call that are tried together."""
Wanted = Sequence[Sequence[str]]
"""For each result, the expressions that are right, the likeliest first."""
_SOUND = 1e-3
"""A right result that is farther than this from every expression is not understood."""


@dataclass(frozen=True, eq=False)
class Taken:
    """What the port returns in one place.

    Args:
        index: the number of the result.
        right: what it must return there.
        found: what it returns there.
        part: the rows to which that is confined; None for all.
        twins: identifiers of other mistakes that return the same.
    """

    index: int
    right: Expression
    found: Expression
    part: Part | None = None
    twins: tuple[str, ...] = ()

    @property
    def mistakes(self) -> tuple[str, ...]:
        """The identifiers; () if the result is the right one."""
        if self.found is self.right:
            return ()
        if self.part is not None:
            return ("wrong-result",) if self.part.factor == 1 else ("scaled",)
        return mistakes_of(self.found, self.right)

    def value(self, every: Mapping[str, Expression]) -> Array | None:
        """Return what the port returns according to other values of the expressions; None if one of them has no value."""
        right, found = every.get(self.right.text), every.get(self.found.text)
        if self.part is not None and right is not None:
            return self.part.apply(right, found or self.found)
        return None if found is None else found.value


@dataclass(frozen=True, eq=False)
class Explanation:
    """The slips and the results that explain a call.

    Args:
        slips: the slips of recurrence and call.
        taken: one for each result.
    """

    slips: tuple[Slip, ...]
    taken: tuple[Taken, ...]

    @property
    def mistakes(self) -> tuple[str, ...]:
        """The identifiers, each once."""
        named = [slip.mistake for slip in self.slips] + [mistake for each in self.taken for mistake in each.mistakes]
        return tuple(dict.fromkeys(named))

    @property
    def cost(self) -> int:
        """The number of mistakes."""
        return len(self.slips) + len({mistake for each in self.taken for mistake in each.mistakes})


@dataclass(frozen=True, eq=False)
class Results:
    """The results of the right call and of the port's, on the same data.

    Args:
        situation: the right call.
        right: the arrays that the right call returns.
        port: those that the port returns.
        tolerance: the share of max(1, max |right|) that may be off.
    """

    situation: Situation
    right: Sequence[Array]
    port: Sequence[Array]
    tolerance: float

    def values(self, slips: tuple[Slip, ...], situation: Situation | None = None) -> dict[str, Expression]:
        """Return every expression after some slips, by its text."""
        situation = situation or self.situation
        every = expressions(run(situation, slips), situation.spec, zero_masked=situation.zero_masked)
        return {each.text: each for each in reversed(every)}


def explain(
    results: Results,
    *,
    wrong: Situation | None = None,
    most: int = MOST,
    known: tuple[Slip, ...] = (),
    recurrences: Sequence[tuple[Slip, ...]] = ((),),
) -> list[Explanation]:
    """Return the explanations with the fewest mistakes; none if nothing explains the results.

    Args:
        results: the results of both sides.
        wrong: the call with the weights of the port, if they are not the right ones.
        most: the largest number of slips.
        known: slips that the port is known to make.
        recurrences: the slips of the recurrence that are tried together.
    """
    wanted = right_expressions(results)
    best: list[Explanation] = []
    for count in range(most + 1 if wanted else 0):
        if best and count > min(best[0].cost, 1):
            break
        tried = list(_choices(list(call_slips(results.situation)), recurrences, count))
        for more in track(tried, "calls" if count < 2 else f"calls with {count} mistakes"):
            if len({slip.factor for slip in (*known, *more)}) < len(known) + len(more):
                continue
            found = explain_with((*known, *more), wanted, results, wrong or results.situation)
            if found is not None and (not best or found.cost <= best[0].cost):
                best = [*(each for each in best if each.cost == found.cost), found]
    return best


def _choices(calls: Sequence[Slip], recurrences: Sequence[tuple[Slip, ...]], count: int) -> Iterator[tuple[Slip, ...]]:
    for recurrence in recurrences:
        if len(recurrence) <= count:
            yield from ((*recurrence, *each) for each in _combined(calls, count - len(recurrence)))


def _combined(slips: Sequence[Slip], count: int) -> Iterator[tuple[Slip, ...]]:
    """Yield so many slips together; a port makes each choice once."""
    for chosen in combinations(slips, count):
        if len({slip.factor for slip in chosen}) == count:
            yield chosen


def possible_recurrences(
    results: Results, known: tuple[Slip, ...] = (), *, observed: bool = True
) -> Iterator[tuple[list[tuple[Slip, ...]], int]]:
    """Yield slips of the recurrence that may explain a call of one step, and how many slips to try with them.

    Few slips of the call can be seen in one step. If the recurrence may be right, it is so at first, with one slip.

    Args:
        results: the results of both sides on one step.
        known: slips that the port is known to make.
        observed: whether its weights are known to be right; if not, two slips of the recurrence are not sought.
    """
    wanted = right_expressions(results)
    slips = [slip for slip in recurrence_slips(results.situation.spec) if slip.factor not in {each.factor for each in known}]
    calls = list(call_slips(results.situation))

    def fitting(count: int, beside: int) -> list[tuple[Slip, ...]]:
        return [
            recurrence
            for recurrence in _combined(slips, count)
            if any(
                explain_with((*known, *recurrence, *call), wanted, results, results.situation) is not None
                for call in _combined(calls, beside)
            )
        ]

    tried = ((0, 0), (0, 1), (1, 0), (0, 2), (1, 1), *([(2, 0)] if observed else []))
    for count, beside in tried if wanted else ():
        found = fitting(count, beside)
        if found:
            if not count:
                yield found, 1
                found += fitting(1, min(beside, 1))
            yield found, MOST
            return
    yield [()], 1


def right_expressions(results: Results) -> Wanted:
    """Return, for each result, the expressions that are right; () if a right result is not understood."""
    every = results.values(())
    found = []
    for array in results.right:
        errors = [error(each.value, array) for each in every.values()]
        scale = max(1.0, float(np.abs(array).max(initial=0)))
        allowed = max(results.tolerance * scale, 4 * min(errors))
        if not min(errors) <= _SOUND * scale:
            return ()
        found.append([text for text, off in zip(every, errors, strict=True) if off <= allowed][::-1])
    return found


def explain_with(chosen: tuple[Slip, ...], wanted: Wanted, results: Results, situation: Situation) -> Explanation | None:
    """Return how some slips explain all results of the port, or None.

    Args:
        chosen: the slips.
        wanted: for each result, the expressions that are right.
        results: the results of both sides.
        situation: the call that the slips are made in.
    """
    every = results.values(chosen, situation)
    taken = []
    for index, array in enumerate(results.port):
        own = [every[text] for text in wanted[index] if text in every]
        if not own:
            return None
        right = own[0]
        ours = next((each for each in own if close(each.value, array, results.tolerance)), None)
        if ours is not None:
            taken.append(Taken(index, ours, ours))
            continue
        fitting = [each for each in every.values() if close(each.value, array, results.tolerance)][::-1]
        if fitting:
            taken.append(_take(index, fitting, right))
            continue
        by_rows = match_by_rows(array, list(every.values()), right, results.tolerance) if len(chosen) < 2 else None
        if by_rows is None:
            return None
        taken.append(Taken(index, right, *by_rows))
    return Explanation(chosen, tuple(taken))


def _take(index: int, fitting: Sequence[Expression], right: Expression) -> Taken:
    """Return the likeliest mistake among the expressions that fit."""
    named = [mistakes_of(each, right) for each in fitting]
    first = min(range(len(fitting)), key=lambda number: ("wrong-result" in named[number], len(named[number])))
    found, others = fitting[first], {mistake for each in named for mistake in each} - {"wrong-result"}
    both_last = found.what == "output" and found.time == "last" and found.merge and right.what in ("h", "output")
    if both_last and right.merge == found.merge:
        others.add("backward-not-flipped")
    return Taken(index, right, found, None, tuple(sorted(others - set(named[first]))))


def close(actual: Array, expected: Array, tolerance: float) -> bool:
    """Return whether two arrays agree: at most `tolerance` of max(1, max |expected|) off, NaN nowhere."""
    if actual.shape != expected.shape:
        return False
    with np.errstate(all="ignore"):
        return bool(np.abs(actual - expected).max(initial=0) <= tolerance * max(1.0, float(np.abs(expected).max(initial=0))))


def error(actual: Array, expected: Array) -> float:
    """Return the largest difference; infinity if the shapes differ or if there is a NaN."""
    if actual.shape != expected.shape:
        return np.inf
    with np.errstate(all="ignore"):
        largest = float(np.abs(np.subtract(actual, expected, dtype=np.float64)).max(initial=0))
    return np.inf if np.isnan(largest) else largest
