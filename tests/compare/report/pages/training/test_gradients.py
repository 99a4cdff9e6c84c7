"""The experiment on gradients holds what it says of every case and of every mistake.

Covers: `compare/report/pages/training/experiment/gradients.py`.
"""

from __future__ import annotations

import pytest

from compare.report.pages.training.experiment import gradients
from compare.report.results import all_passed, leaves
from frameworks import RecurrentSpec


def test_every_cell_is_differentiated_in_both_dtypes_with_every_option() -> None:
    cases = gradients.make_cases()
    assert len({case.name for case in cases}) == len(cases) == 26
    specs = [(case.spec.cell, case.spec.dtype) for case in cases]
    assert {specs.count(pair) for pair in specs} == {4, 5}


@pytest.mark.backend
def test_cases_pass_and_mistakes_are_as_large_as_the_gradients() -> None:
    for case in [case for case in gradients.make_cases() if case.spec.dtype == "float64" and case.spec.cell == "gru"][-2:]:
        found = gradients._run_case(case, 0)
        assert all_passed(found)
        assert found["verdict"].value == "passed"  # type: ignore[union-attr]
        assert {value.kind for _, value in leaves(found)} == {"exact", "measured"}
    sizes = [value for _, value in leaves(gradients._run_mistakes(RecurrentSpec("lstm", 3, 7, dtype="float64")))]
    assert len(sizes) == 3
    assert all(value.kind == "control" and value.value > 0.1 for value in sizes)
