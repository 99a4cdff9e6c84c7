"""What two calls with the same data reveal: dropout that is active, and states that are kept, or not kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from compare.diagnosis.call.call_findings import Left
from compare.diagnosis.call.call_search import Results, explain
from compare.diagnosis.call.simulation import Slip, recurrence_slips, run
from compare.diagnosis.mistakes import fix_of
from compare.diagnosis.result import Finding
from compare.diagnosis.sides.case import Case
from compare.diagnosis.sides.quiet import drops, without_dropout
from compare.diagnosis.sides.right_side import Data
from frameworks.weights import RecurrentWeights

Array = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Repeated:
    """What two calls with the same data reveal.

    Args:
        drops: whether dropout is active.
        changes: whether the second result is another one, even without dropout.
    """

    drops: bool
    changes: bool


def repeat(case: Case) -> Repeated:
    """Call the port twice as it is, and twice without dropout."""
    as_is = not case.port.is_layer and not _twice_the_same(case)
    with without_dropout(case.port.contents.roots):
        changes = as_is and not _twice_the_same(case)
    return Repeated((as_is and not changes) or drops(case.port.contents.roots), changes)


def _twice_the_same(case: Case) -> bool:
    first, second = case.port_calls(case.data, times=2)
    return all(np.array_equal(one, other, equal_nan=True) for one, other in zip(first, second, strict=True))


def dropout_finding() -> Finding:
    """Return the finding that dropout is active."""
    return Finding("dropout-active", {}, "two calls with the same data differ", "the same results", fix_of("dropout-active"))


def explain_change(case: Case, weights: RecurrentWeights | None, others: Sequence[Finding]) -> Finding | None:
    """Return the finding that explains why the second call returns another result, or None.

    Args:
        case: the diagnosis.
        weights: the weights to put into the port, if its own are wrong.
        others: the findings about a single call.
    """
    right = case.right_call(case.data)
    first, second = case.port_calls(case.data, weights, times=2)
    for slips in _slips_of(case, right, first):
        after = _after(case, slips)
        kept = case.right_call(after)
        left = case.off(second, kept)
        if not case.agree(second, kept):
            results = Results(case.right.situation(after, as_layer=case.port.is_layer), kept, second, case.tolerance)
            found = explain(results, known=slips)
            if not found or not set(found[0].mistakes) <= {each.mistake for each in others}:
                continue
            left = Left.of(found[0], results).unexplained
        found_text, before = "it starts from the final states of its last call", case.off(kept, right)
        return Finding("state-kept", {}, found_text, "each call starts anew", fix_of("state-kept"), before, left)
    return None


def _slips_of(case: Case, right: Sequence[Array], first: Sequence[Array]) -> list[tuple[Slip, ...]]:
    """Return the slips that explain the first call, after which the states that a port keeps are not the right ones."""
    if case.agree(first, right):
        return [()]
    results = Results(case.right.situation(case.data, as_layer=case.port.is_layer), right, first, case.tolerance)
    recurrences = [(), *((slip,) for slip in recurrence_slips(results.situation.spec))]
    return [each.slips for each in explain(results, recurrences=recurrences, most=2)]


def explain_stateful(case: Case, weights: RecurrentWeights | None) -> Finding | None:
    """Return the finding that a port does not keep its states although the right layer does, or None if it does."""
    first, second = case.port_calls(case.data, weights, times=2)
    if not all(np.array_equal(one, other, equal_nan=True) for one, other in zip(first, second, strict=True)):
        return None
    before, after = case.off(second, case.right_call(_after(case, ()))), case.off(first, case.right_call(case.data))
    found, must_be = "the second call starts from zeros", "it starts from the final states of the first"
    return Finding("state-not-kept", {}, found, must_be, fix_of("state-not-kept"), before, after)


def _after(case: Case, slips: tuple[Slip, ...]) -> Data:
    """Return the data of a second call that starts from the final states of a first one with some slips."""
    situation = case.right.situation(case.data, as_layer=case.port.is_layer)
    results = run(situation, slips).results
    own = case.right.adapter.spec.dtype
    states = tuple(state.astype(own) for state in (results.h_n, results.c_n) if state is not None)
    return Data(case.data.inputs, states, case.data.mask)
