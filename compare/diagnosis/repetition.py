"""What two calls with the same data reveal: dropout that is active, and states that are kept, or not kept."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from compare.diagnosis.case import Case
from compare.diagnosis.mistakes import fix_of
from compare.diagnosis.result import Finding
from compare.diagnosis.right_side import Data
from frameworks.weights import RecurrentWeights

Array = npt.NDArray[np.floating]


def compare_two_calls(case: Case, first: list[Array], weights: RecurrentWeights | None) -> tuple[Finding | None, list[Array]]:
    """Call the port again.

    Args:
        case: the diagnosis.
        first: the results of the port's first call.
        weights: the weights to put into the port, if its own are wrong.

    Returns:
        The finding, if there is one; and the results to go on with.
    """
    second = case.port_call(case.data, weights)
    same = all(np.array_equal(one, other, equal_nan=True) for one, other in zip(first, second, strict=True))
    if case.right.is_stateful:
        return _stateful(case, first, second, same=same)
    if same:
        return None, first
    with case.port.in_evaluation() as changed:
        quiet, again = case.port_call(case.data, weights), case.port_call(case.data, weights)
    if changed and all(np.array_equal(one, other) for one, other in zip(quiet, again, strict=True)):
        return Finding("dropout-active", {}, "two calls differ", "the same results", fix_of("dropout-active")), quiet
    right = case.right_call(case.data)
    kept = case.right_call(_after(case))
    if case.agree(first, right) and case.agree(second, kept):
        before, after = case.off(second, right), case.off(first, right)
        return (
            Finding("state-kept", {}, "its states are kept", "each call starts anew", fix_of("state-kept"), before, after),
            first,
        )
    return None, first


def _after(case: Case) -> Data:
    """Return the data of a second call that starts from the final states of the first."""
    results = case.right.adapter.forward(case.data.inputs, case.data.states, case.data.mask)
    states = tuple(state for state in (results.h_n, results.c_n) if state is not None)
    return Data(case.data.inputs, states, case.data.mask)


def _stateful(case: Case, first: list[Array], second: list[Array], *, same: bool) -> tuple[Finding | None, list[Array]]:
    if not same:
        return None, first
    wanted = case.right_call(_after(case))
    return (
        Finding(
            "state-not-kept",
            {},
            "the second call starts from zeros",
            "it starts from the final states of the first",
            fix_of("state-not-kept"),
            case.off(second, wanted),
            case.off(first, case.right_call(case.data)),
        ),
        first,
    )
