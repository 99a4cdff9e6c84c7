"""The grid of cases: each layer is ported to the other framework, and the port is compared with the original."""

from __future__ import annotations

import math
from collections.abc import Callable

from compare.parity.cases import GRID, Case, draw_weights
from compare.parity.checking import check_parity
from compare.parity.verdict import Against, ParityResult
from compare.report.results import Results, environment, exact, measured
from frameworks import build, convert

_COLUMNS = ("keras", "pytorch", "mutual", "own call")
"""The comparisons: each layer with the reference, the two with each other, the Keras call with the return-value map."""


def run(progress: Callable[[str], None]) -> Results:
    """Compare every case of the grid on this process's Keras backend."""
    import keras

    results = {}
    for index, case in enumerate(GRID):
        if index % 8 == 0:
            progress(f"{index} of {len(GRID)} cases")
        results[case.name] = _run_case(case, seed=index)
    return {"backend": exact(keras.backend.backend()), "versions": environment(keras.__version__), "cases": results}


def _run_case(case: Case, seed: int) -> Results:
    source = build(case.origin, case.spec)
    source.set_weights(draw_weights(case.spec, seed))
    target = convert(source, to="pytorch" if case.origin == "keras" else "keras")
    result = check_parity(source, target)
    expected, actual = (case.origin, "pytorch" if case.origin == "keras" else "keras")
    weights = max(each.max_abs for each in result.comparisons if each.kind == "weights")
    groups = {
        expected: _needed(result, Against.REFERENCE_OF_EXPECTED),
        actual: _needed(result, Against.REFERENCE_OF_ACTUAL),
        "mutual": _needed(result, Against.EXPECTED),
        "own call": max((each.needed for each in result.comparisons if each.kind == "own call"), default=0.0),
    }
    return {
        "verdict": exact(result.verdict),
        "comparisons": exact(len(result.comparisons)),
        "weights": measured(weights, result.tolerance),
        **{name: measured(groups[name], result.tolerance) for name in _COLUMNS},
    }


def _needed(result: ParityResult, against: Against) -> float:
    found = [each.needed for each in result.comparisons if each.against == against and each.kind == "result"]
    return math.nan if any(map(math.isnan, found)) else max(found)
