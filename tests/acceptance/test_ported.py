"""Whole models of every kind of layer are ported right: drawn here, and in the committed result of the whole suite.

Covers: `frameworks/models`, `tests/acceptance/ported`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.acceptance.ported.judging import Outcome, difference
from tests.acceptance.ported.promises import broken
from tests.acceptance.ported.running import DRAWS, run

pytestmark = pytest.mark.frameworks

COMMITTED = Path(__file__).with_name("ported.json")


@pytest.fixture(scope="module")
def committed() -> list[Outcome]:
    return [Outcome(**{**each, "steps": tuple(each["steps"])}) for each in json.loads(COMMITTED.read_text())["outcomes"]]


def test_the_committed_result_keeps_the_promises(committed: list[Outcome]) -> None:
    assert broken(committed) == []


def test_the_committed_result_is_of_these_draws(committed: list[Outcome]) -> None:
    assert {each.number for each in committed} == set(range(len(DRAWS)))


@pytest.mark.parametrize("verdict", ["wrong", "raised", "refused"])
def test_a_port_that_breaks_a_promise_is_counted(verdict: str, committed: list[Outcome]) -> None:
    assert broken([*committed[1:], replace(committed[0], verdict=verdict)])


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ([np.nan, np.inf, 2.5], 0.25),
        ([np.nan, -np.inf, 2.0], np.inf),
        ([np.inf, np.inf, 2.0], np.inf),
        ([0.0, np.inf, 2.0], np.inf),
        ([np.nan, np.inf, np.nan], np.inf),
        ([np.nan, np.inf], np.inf),
    ],
)
def test_a_result_that_overflows_must_overflow_alike_and_agree_elsewhere(actual: list[float], expected: float) -> None:
    assert difference([np.array([np.nan, np.inf, 2.0])], [np.array(actual)]) == expected


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(number=st.integers(0, len(DRAWS) - 1), seed=st.integers(0, 99))
def test_drawn_models_are_ported_right(number: int, seed: int) -> None:
    assert broken(list(run(seed, only=number))) == []
