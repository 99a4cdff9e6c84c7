"""Explaining what a port returns: searched on a few rows and steps, confirmed on all data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.diagnosis.call.call_findings import Left, call_findings, confirm
from compare.diagnosis.call.call_search import MOST, Explanation, Results, explain, possible_recurrences
from compare.diagnosis.call.simulation import Situation, Slip
from compare.diagnosis.guessing import explain_black_box, shortest
from compare.diagnosis.result import Finding
from compare.diagnosis.sides.case import Case
from compare.diagnosis.sides.right_side import Data
from compare.diagnosis.sides.windows import windows
from compare.diagnosis.weights.origins import Right
from compare.groundwork.progress import tell
from frameworks.errors import GatewiseError
from frameworks.weights import BIASES, DirectionWeights, RecurrentWeights

Array = npt.NDArray[Any]
_COARSE = {"float32": 1e-4, "float64": 1e-9}
"""What a recurrence with large weights may make of rounding within the steps of a search."""


@dataclass(frozen=True, eq=False)
class Question:
    """What is to be explained.

    Args:
        case: the diagnosis.
        right: the right results on all data.
        port: those of the port, with right weights if they can be put into it.
        weights: the weights to put into the port, if its own are wrong.
        black_box: the right weights, as an origin of wrong ones, if the port's cannot be observed.
    """

    case: Case
    right: Sequence[Array]
    port: Sequence[Array]
    weights: RecurrentWeights | None = None
    black_box: Right | None = None

    def situation(self, data: Data) -> Situation:
        """Return the right call with a part of the data."""
        return self.case.right.situation(data, as_layer=self.case.port.is_layer)

    def results(self, data: Data) -> Results | None:
        """Return the results of both sides on a part of the data; None if the port cannot be called with it."""
        case, situation = self.case, self.situation(data)
        if data is case.data:
            return Results(situation, self.right, self.port, case.tolerance)
        try:
            right, port = case.right_call(data), case.port_call(data, self.weights)
        except GatewiseError:
            return None
        same_number = len(right) == len(port)
        return Results(situation, right, port, case.tolerance) if same_number else None

    @property
    def off(self) -> float:
        """The largest difference."""
        return self.case.off(self.port, self.right)


def explain_call(question: Question) -> list[Finding]:
    """Return the findings that explain the results; () if nothing does, or if what explains a part does not explain all."""
    case = question.case
    whole = Results(question.situation(case.data), question.right, question.port, case.tolerance)
    all_rows = case.right.adapter.batch_size is not None
    units = case.right.adapter.spec.hidden_size
    parts = list(windows(case.data, question.right, question.port, all_rows=all_rows, units=units))
    known = tuple(_observed_slips(case))
    for made in dict.fromkeys((known, ())):
        for recurrences, most in _recurrences(question, made):
            confirmed = _explain_parts(question, whole, parts, partial(_search, known=made, recurrences=recurrences, most=most))
            if confirmed:
                tell(f"the call: {', '.join(confirmed[0].mistakes)}")
                return call_findings(confirmed, Left.of(confirmed[0], whole), question.off)
    return _explain_black_box(question, whole, parts)


def _explain_parts(
    question: Question,
    whole: Results,
    parts: Sequence[Data],
    search: Callable[[Results], list[Explanation]],
) -> list[Explanation]:
    """Return what explains the first part of the data that it can be found on, and all of it."""
    for data in parts:
        results = question.results(data)
        if results is None or question.case.agree(results.port, results.right):
            continue
        found = search(results)
        confirmed = [each for each in confirm(found, whole) if each.cost]
        if confirmed or not found:  # what explains all data would explain this part of it
            return confirmed
    return []


def _explain_black_box(question: Question, whole: Results, parts: Sequence[Data]) -> list[Finding]:
    """Return what a guess at the weights explains, from the first part of the data that shows a difference."""
    for data in parts:
        results = question.results(data)
        if question.black_box is not None and results is not None and not question.case.agree(results.port, results.right):
            few = shortest(data, question.results) or results
            return explain_black_box(question.black_box, few, results, whole, question.off)
    return []


def explain_without_biases(question: Question, lacking: Finding) -> list[Finding]:
    """Return the findings about a port that has no biases to put right: it is compared with the right layer without them.

    Args:
        question: what is to be explained.
        lacking: the finding that the biases are missing.

    Returns:
        That finding with what is left once it is undone, and those about the call; () if they do not explain the results.
    """
    whole = Results(question.situation(question.case.data), question.right, question.port, question.case.tolerance)
    bare = replace(whole.situation, weights=_without_biases(whole.situation.weights))
    confirmed = confirm(explain(whole, wrong=bare, most=1), whole, bare)
    if not confirmed:
        return []
    left = Left.of(confirmed[0], whole, bare)
    after = left.off()
    return [replace(lacking, error_before=question.off, error_after=after), *call_findings(confirmed, left, after)]


def _without_biases(weights: RecurrentWeights) -> RecurrentWeights:
    def bare(one: DirectionWeights) -> DirectionWeights:
        zeros = {part: np.zeros_like(array) for part, array in one.arrays() if part in BIASES}
        return replace(one, **zeros)  # type: ignore[arg-type]

    return RecurrentWeights(tuple(tuple(bare(one) for one in row) for row in weights.layers))


def _search(
    results: Results, *, known: tuple[Slip, ...], recurrences: Sequence[tuple[Slip, ...]], most: int
) -> list[Explanation]:
    """Search with the tolerance of the diagnosis and then, for fewer mistakes, with a coarser one."""
    coarse = max(results.tolerance, _COARSE[results.situation.inputs.dtype.name])
    found = explain(results, known=known, recurrences=recurrences, most=most)
    return found or explain(replace(results, tolerance=coarse), known=known, recurrences=recurrences, most=min(most, 2))


def _observed_slips(case: Case) -> Iterator[Slip]:
    """Yield what the port's layers state of their recurrence, where it differs from the right one."""
    right = case.right.adapter.spec
    for held in case.port.held[:1]:
        spec = held.adapter.spec
        for name, mistake in (
            ("activation", "activation"),
            ("recurrent_activation", "recurrent-activation"),
            ("reset_after", "reset-after"),
        ):
            own, wanted = getattr(spec, name), getattr(right, name)
            if spec.cell == right.cell and own != wanted:
                said, must_be = (f"{name}={each}" if isinstance(each, bool) else each for each in (own, wanted))
                yield Slip(mistake, name, str(own), said, must_be)


def _recurrences(question: Question, known: tuple[Slip, ...]) -> Iterator[tuple[list[tuple[Slip, ...]], int]]:
    """Yield the slips of the recurrence that are worth trying: those that explain the first step."""
    results = question.results(question.case.data.first_step())
    if results is None:
        yield [()], MOST
    else:
        yield from possible_recurrences(results, known, observed=question.black_box is None)
