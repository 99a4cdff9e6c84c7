"""Finding the slips of a port's call: the fewest that, with right weights, make all of its results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from compare.diagnosis.expressions import Expression, expressions, mistake_of
from compare.diagnosis.simulation import Situation, Slip, run, slips
from frameworks.output import RecurrentOutput

Array = npt.NDArray[np.floating]
_MOST = 3
"""The largest number of slips of recurrence and call that are tried together."""


@dataclass(frozen=True, eq=False)
class Taken:
    """What the port returns in one place.

    Args:
        index: the number of the result.
        right: what it must return there.
        found: what it returns there.
        twins: other mistaken expressions with the same value.
    """

    index: int
    right: Expression
    found: Expression
    twins: tuple[Expression, ...] = ()

    @property
    def mistake(self) -> str:
        """The identifier; "" if the result is the right one."""
        return "" if self.found is self.right else mistake_of(self.found, self.right)


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
    def cost(self) -> int:
        """The number of mistakes."""
        return len(self.slips) + len({(each.mistake) for each in self.taken if each.mistake})


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


def explain(
    results: Results, wrong: Situation | None = None, most: int = _MOST, known: tuple[Slip, ...] = ()
) -> list[Explanation]:
    """Return the explanations with the fewest mistakes; none if nothing explains the results.

    Args:
        results: the results of both sides.
        wrong: the call with the weights of the port, if they are not the right ones.
        most: the largest number of slips.
        known: slips that the port is known to make.
    """
    whole = run(results.situation)
    wanted = _right_expressions(whole, results)
    if wanted is None:
        return []
    best: list[Explanation] = []
    for count in range(most + 1):
        if best and count > best[0].cost:
            break
        for more in _choices(slips(results.situation), count):
            chosen = (*known, *more)
            if len({slip.factor for slip in chosen}) < len(chosen):
                continue
            found = _explain_with(chosen, wanted, results, wrong or results.situation)
            if found is None:
                continue
            if not best or found.cost < best[0].cost:
                best = [found]
            elif found.cost == best[0].cost:
                best.append(found)
    return best


def _choices(every: Sequence[Slip], count: int) -> Iterator[tuple[Slip, ...]]:
    for chosen in combinations(every, count):
        if len({slip.factor for slip in chosen}) == count:
            yield chosen


def _right_expressions(whole: RecurrentOutput, results: Results) -> list[list[int]] | None:
    """Return, for each result, the numbers of the expressions that are right."""
    every = expressions(whole, results.situation.spec)
    right = [
        [number for number, each in enumerate(every) if close(each.value, array, results.tolerance)] for array in results.right
    ]
    return right if all(right) else None


def _explain_with(
    chosen: tuple[Slip, ...], wanted: list[list[int]], results: Results, situation: Situation
) -> Explanation | None:
    every = expressions(run(situation, chosen), situation.spec)
    taken = []
    for index, array in enumerate(results.port):
        fitting = [number for number, each in enumerate(every) if close(each.value, array, results.tolerance)]
        if not fitting:
            return None
        right = every[wanted[index][0]]
        ours = [number for number in fitting if number in wanted[index]]
        if ours:
            taken.append(Taken(index, right, right))
        else:
            found = [every[number] for number in fitting]
            taken.append(Taken(index, right, found[0], tuple(found[1:])))
    return Explanation(chosen, tuple(taken))


def close(actual: Array, expected: Array, tolerance: float) -> bool:
    """Return whether two arrays agree: at most `tolerance` of max(1, max |expected|) off, NaN nowhere."""
    if actual.shape != expected.shape:
        return False
    with np.errstate(all="ignore"):
        return bool(np.abs(actual - expected).max(initial=0) <= tolerance * max(1.0, float(np.abs(expected).max(initial=0))))


def error(actual: Array, expected: Array) -> float:
    """Return the largest difference; infinity if the shapes differ."""
    return float(np.abs(actual - expected).max(initial=0)) if actual.shape == expected.shape else np.inf
