"""Verdicts follow from the numbers, and say what differs, where and by how much."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compare.groundwork.tolerance import TOLERANCES, choose_tolerance
from compare.parity.difference import Difference, measure
from compare.parity.verdict import Against, Comparison, ParityResult, place_output, place_state
from frameworks import RecurrentSpec

NAN = float("nan")


def comparison(
    max_abs: float, *, allowed: float = 1e-5, kind: str = "result", name: str = "h_n of actual", **rest: Any
) -> Comparison:
    where = {"layer": 1, "direction": 0, "batch": 4, "unit": 2}
    return Comparison(name, (2, 6, 7), max_abs, where, allowed, max_abs, Against.EXPECTED, kind, **rest)


def result(*comparisons: Comparison, notes: tuple[str, ...] = ()) -> ParityResult:
    return ParityResult(comparisons, 1e-5, notes)


@pytest.mark.parametrize(
    ("max_abs", "passed"), [(0.0, True), (1e-5, True), (1.0000001e-5, False), (NAN, False), (math.inf, False)]
)
def test_a_difference_passes_up_to_what_is_allowed_and_nan_never(max_abs: float, *, passed: bool) -> None:
    one = comparison(max_abs)
    assert one.within is passed
    assert one.verdict == ("passed" if passed else "failed")
    assert bool(result(one)) is result(one).passed is passed


def test_what_is_allowed_grows_with_the_expected_values() -> None:
    expected = np.array([[[1.0, -200.0]]])
    one = Comparison.of("c_n", measure(expected, expected + 1e-3), None, 1e-5, Against.REFERENCE_OF_EXPECTED)
    assert one.allowed == pytest.approx(2e-3)
    assert one.needed == pytest.approx(1e-3 / 200)
    assert one.within
    small = Comparison.of("h_n", measure(expected / 1e3, expected / 1e3 + 1e-3), None, 1e-5, Against.REFERENCE_OF_EXPECTED)
    assert small.allowed == 1e-5
    assert not small.within


def test_one_failure_fails_the_whole_and_comes_before_ill_conditioned() -> None:
    good, bad, unsure = comparison(0.0), comparison(1.0), comparison(1.0, ill_conditioned=True)
    assert result(good, good).verdict == "passed"
    assert result(good, unsure).verdict == "ill-conditioned"
    assert not result(good, unsure)
    assert result(unsure, bad, good).verdict == "failed"
    assert not result(unsure, bad)


def test_the_cause_is_the_first_of_the_weights_that_differ() -> None:
    good = comparison(0.0, kind="weights", name="kernel of layer 0, direction 0")
    bad = comparison(0.5, kind="weights", name="bias of layer 1, direction 0")
    later = comparison(0.75, kind="weights", name="kernel of layer 2, direction 0")
    found = result(good, bad, later, comparison(1.0))
    assert found.cause is bad
    assert "cause: the weights differ: bias of layer 1, direction 0 is 0.5 off" in str(found)
    assert str(found).count("cause:") == 1
    assert result(good, comparison(1.0)).cause is None
    assert "cause:" not in str(result(good, comparison(1.0)))


def test_the_worst_is_what_needed_most_and_nan_is_worse() -> None:
    one, other, nan = comparison(1e-3), comparison(1e-2), comparison(NAN)
    assert result(one, other).worst is other
    assert result(other, nan, one).worst is nan


def test_a_comparison_says_what_differs_where_and_how_much() -> None:
    text = str(comparison(0.25, name="h_n of actual, from zeros"))
    assert text == (
        "h_n of actual, from zeros is 0.25 off at layer 1, direction 0, batch 4, unit 2, against expected; "
        "allowed 1e-05, needed tolerance 0.25"
    )
    assert "holds NaN at layer 1, direction 0, batch 4, unit 2" in str(comparison(NAN))


def test_another_shape_is_reported_as_such() -> None:
    one = Comparison.of("output of actual", Difference((2, 3), math.inf, None, 1.0, (3, 2)), None, 1e-5, Against.EXPECTED)
    assert str(one) == "output of actual has shape (3, 2), but expected has (2, 3)"
    assert not one.within


def test_what_an_array_is_compared_with_is_data_that_reads_as_text() -> None:
    text: str = Against.REFERENCE_OF_ACTUAL
    assert f"{text}" == str(text) == text == "reference of actual"
    assert Against("expected") is Against.EXPECTED
    with pytest.raises(ValueError, match="the expected one"):
        Against("the expected one")


def test_an_expression_is_shown_in_place_of_the_map_that_evaluated_it() -> None:
    one = replace(comparison(0.25), against=Against.RETURNS_MAP, expression="output[:, -1]")
    assert "against output[:, -1]; allowed" in str(one)
    (row,) = [line for line in str(result(one)).splitlines() if line.endswith("failed")]
    assert "output[:, -1]" in row
    assert "the return-value map" not in str(result(one))
    assert one.against == Against.RETURNS_MAP  # what a reader of data selects by


def test_a_result_shows_its_verdict_its_notes_and_every_comparison() -> None:
    bad = comparison(0.125, name="output of actual, from zeros")
    text = str(result(comparison(1e-9, name="c_n of expected"), bad, notes=("the bias differs",)))
    assert text.startswith("parity failed: 2 comparisons at tolerance 1e-05")
    assert f"failed: {bad}" in text
    assert "note: the bias differs" in text
    (row,) = [line for line in text.splitlines() if line.startswith("c_n of expected")]
    assert row.split()[-1] == "passed"
    assert "1.00e-09" in row
    passed = str(result(comparison(1e-9, name="c_n of expected")))
    assert passed.startswith("parity passed: 1 comparison")
    assert "largest: c_n of expected is 1e-09 off" in passed
    assert "failed" not in passed
    unsure = str(result(replace(bad, ill_conditioned=True)))
    assert unsure.startswith("parity ill-conditioned")
    assert "farther than allowed from the float64 reference of its own weights" in unsure
    assert "0.125 off" in unsure


@pytest.mark.parametrize(
    ("index", "place"),
    [
        ((4, 3, 6), {"layer": 2, "direction": 0, "batch": 4, "time step": 3, "unit": 6}),
        ((0, 1, 7), {"layer": 2, "direction": 1, "batch": 0, "time step": 1, "unit": 0}),
        ((5, 0, 13), {"layer": 2, "direction": 1, "batch": 5, "time step": 0, "unit": 6}),
    ],
)
def test_a_place_in_the_output_is_named_by_its_axes(index: tuple[int, ...], place: dict[str, int]) -> None:
    spec = RecurrentSpec("gru", 5, 7, num_layers=3, bidirectional=True)
    assert place_output(Difference((6, 4, 14), 1.0, index, 1.0), spec) == place
    assert place_output(Difference((6, 4, 14), 0.0, index, 1.0), spec) is None
    assert place_output(Difference((6, 4, 14), math.inf, None, 1.0, (1,)), spec) is None


@pytest.mark.parametrize(
    ("directions", "row", "layer", "direction"), [(2, 0, 0, 0), (2, 1, 0, 1), (2, 4, 2, 0), (2, 5, 2, 1), (1, 2, 2, 0)]
)
def test_a_place_in_a_state_is_named_by_its_axes(directions: int, row: int, layer: int, direction: int) -> None:
    spec = RecurrentSpec("lstm", 5, 7, num_layers=3, bidirectional=directions == 2)
    found = place_state(Difference((3 * directions, 6, 7), 1.0, (row, 4, 2), 1.0), spec)
    assert found == {"layer": layer, "direction": direction, "batch": 4, "unit": 2}
    assert place_state(Difference((3 * directions, 6, 7), 0.0, (row, 4, 2), 1.0), spec) is None


class _Side:
    def __init__(self, precision: str) -> None:
        self.precision = precision


def test_the_tolerance_is_that_of_the_coarsest_side_or_the_caller_s() -> None:
    fine, coarse = _Side("float64"), _Side("float32")
    assert TOLERANCES == {"float32": 1e-5, "float64": 1e-12}
    assert choose_tolerance([fine, fine], None) == 1e-12  # type: ignore[list-item]
    assert choose_tolerance([fine, coarse], None) == 1e-5  # type: ignore[list-item]
    assert choose_tolerance([coarse, fine], 1e-3) == 1e-3  # type: ignore[list-item]
    assert choose_tolerance([fine], 2) == 2.0  # type: ignore[list-item]


@pytest.mark.parametrize("wrong", [0, -1e-5, NAN, math.inf, "1e-5", True, [1e-5]])
def test_an_invalid_tolerance_is_rejected(wrong: Any, refused: Callable[..., Any]) -> None:
    with refused("tolerance", repr(wrong)):
        choose_tolerance([], wrong)
