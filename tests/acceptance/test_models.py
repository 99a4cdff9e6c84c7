"""`compare_models` finds the mistakes of whole models: the promises, kept by a tenth of the suite and by its committed result.

Covers: `compare/models`, `tests/acceptance/models`.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from tests.acceptance.models.drawn import cases
from tests.acceptance.models.judging import ORDERS, Outcome
from tests.acceptance.models.promises import FEWEST, broken
from tests.acceptance.models.running import run

pytestmark = pytest.mark.frameworks

COMMITTED = Path(__file__).with_name("models.json")


@pytest.fixture(scope="module")
def committed() -> list[Outcome]:
    return [Outcome(**outcome) for outcome in json.loads(COMMITTED.read_text())["outcomes"]]


def test_the_committed_result_keeps_the_promises(committed: list[Outcome]) -> None:
    assert broken(committed) == []


def test_the_committed_result_is_of_these_cases(committed: list[Outcome]) -> None:
    assert [(outcome.number, outcome.label, outcome.expected) for outcome in committed] == [
        (case.number, case.label, expected) for case in cases() for expected in ORDERS
    ]
    assert all(Counter(case.kind for case in cases())[kind] >= least for kind, least in FEWEST.items())


@pytest.mark.parametrize("spoilt", ["right_place", "second_found", "said"])
def test_an_outcome_that_breaks_a_promise_is_counted(spoilt: str, committed: list[Outcome]) -> None:
    worse = [
        replace(outcome, **cast("Any", {spoilt: False}))
        if getattr(outcome, spoilt) is not None and outcome.number % 4
        else outcome
        for outcome in committed
    ]
    assert broken(worse)


def test_a_comparison_that_takes_too_long_is_counted(committed: list[Outcome]) -> None:
    assert broken([*committed[1:], replace(committed[0], seconds=3 * committed[0].own_seconds + 2.1)])


def test_a_tenth_of_the_cases_keeps_the_promises() -> None:
    assert broken(list(run(seed=1, share=0.1))) == []
