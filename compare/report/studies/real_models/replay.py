"""Running recorded cases through a call like that of a layer, and comparing the results with the recorded ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from compare.parity.difference import measure
from compare.report.studies.real_models.recorded import Array, Mask, RecordedCase

Call = Callable[[Array, "tuple[Array, ...] | None", "Mask | None"], Mapping[str, Any]]
"""A function from inputs, initial state and mask, as in a RecordedCase, to `output` and, if recorded, `h_n` and `c_n`."""

TOLERANCE = 2e-5
"""The largest error that passes, as a share of max(1, max |expected|). Recorded values are float32, some after many steps."""


def largest_error(cases: tuple[RecordedCase, ...], call: Call) -> float:
    """Return the largest error of all recorded arrays, as a share of max(1, max |expected|)."""
    return max(error for case in cases for error in _errors(case, run_case(case, call)))


def run_case(case: RecordedCase, call: Call) -> dict[str, Any]:
    """Run a case call by call, as in the original program; each call starts from the states of the one before."""
    returned: Mapping[str, Any] = {}
    outputs, states = [], case.initial_state
    for inputs, mask in _parts(case):
        returned = call(inputs, states, mask)
        outputs.append(returned["output"])
        states = tuple(returned[name] for name in ("h_n", "c_n") if returned.get(name) is not None)
    return {**returned, "output": np.concatenate(outputs, axis=1)}


def beginning(case: RecordedCase) -> RecordedCase:
    """Return only the first two calls of a case, without final states: enough to show a mistake."""
    chunks = case.chunks[:2]
    if chunks == case.chunks:
        return case
    steps = slice(sum(chunks))
    mask = None if case.mask is None else case.mask[:, steps]
    return replace(
        case, chunks=chunks, inputs=case.inputs[:, steps], mask=mask, output=case.output[:, steps], h_n=None, c_n=None
    )


def _parts(case: RecordedCase) -> Iterator[tuple[Array, Mask | None]]:
    end = 0
    for steps in case.chunks:
        start, end = end, end + steps
        yield case.inputs[:, start:end], None if case.mask is None else case.mask[:, start:end]


def _errors(case: RecordedCase, actual: Mapping[str, Any]) -> Iterator[float]:
    for name in ("output", "h_n", "c_n"):
        expected = getattr(case, name)
        if expected is not None:
            yield measure(expected, actual[name]).needed
