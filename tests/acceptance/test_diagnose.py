"""The promises of `diagnose` are kept: on a tenth of the drawn ports, and in the committed result of all of them.

Covers: `compare/diagnosis`, `tests/acceptance/diagnose`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare import MISTAKES, Diagnosis, Finding
from tests.acceptance.diagnose.drawing import EACH, IDENTIFIERS, draw, sample
from tests.acceptance.diagnose.judging import names_all
from tests.acceptance.diagnose.outside import FAULTS
from tests.acceptance.diagnose.plans import plan_port
from tests.acceptance.diagnose.promises import SHARES, broken, summarise
from tests.acceptance.diagnose.rights import build_right, call_right
from tests.acceptance.diagnose.running import run_task

SEED, SHARE = 3, 0.1
IN_CI = [kind for kind in SHARES if kind != "large"]
"""Layers of 1024 units take seconds each."""


@pytest.fixture(scope="module")
def committed() -> Mapping[str, Any]:
    """Return the committed result of all draws, which `make diagnosis` writes."""
    result: Mapping[str, Any] = json.loads((Path(__file__).parent / "diagnose.json").read_text(encoding="utf-8"))
    return result


@pytest.mark.parametrize("kind", IN_CI)
def test_a_tenth_of_the_ports_comes_out_as_promised(kind: str) -> None:
    outcomes = [run_task(task, SEED) for task in sample(SHARE) if task.kind == kind]
    # Of a mistake's one draw, no share can be promised; nor can the time on a busy machine.
    summary = {**summarise(outcomes, SEED), "mistakes": {}, "seconds": {}}
    failing = [f"{each.number} {each.about}: {each.said}" for each in outcomes if not each.kept]
    assert not broken(summary), failing


def test_the_committed_result_keeps_every_promise(committed: Mapping[str, Any]) -> None:
    assert broken(committed) == []


def test_the_committed_result_covers_every_mistake_with_wrong_ports_and_right_ones(committed: Mapping[str, Any]) -> None:
    assert committed["mistakes"].keys() == MISTAKES.keys() == set(IDENTIFIERS)
    for counts in committed["mistakes"].values():
        assert counts["draws"] >= EACH["one"]
        assert counts["right"] == counts["right_kept"] == EACH["right"]


def test_the_committed_result_is_of_as_many_ports_as_promised(committed: Mapping[str, Any]) -> None:
    kinds = committed["kinds"]
    assert kinds["right"]["draws"] >= 200
    assert kinds["outside"]["draws"] >= 100
    assert committed["outside"].keys() == FAULTS.keys()


def test_a_summary_says_which_promise_is_broken() -> None:
    kinds = {kind: {"draws": 100, "kept": round(100 * share) - 1} for kind, share in SHARES.items()}
    mistakes = {"rounded": {"draws": 10, "named": 7}, "scaled": {"draws": 10, "named": 8}}
    seconds = {"128": {"median": 2.1}, "1024": {"median": 4.9}}
    complaints = broken({"kinds": kinds, "mistakes": mistakes, "seconds": seconds, "undone": {"draws": 3, "kept": 2}})
    assert len(complaints) == len(SHARES) + 3
    assert "rounded: 7 of 10 named, promised 80%" in complaints


@pytest.mark.parametrize("number", [3, 7])
def test_the_right_layers_compute_what_the_loop_computes(number: int) -> None:
    for task in [task for task in sample(SHARE) if task.kind == "right"][number::8]:
        drawn = draw(task, SEED)
        setting, data = drawn.plan.setting, drawn.data
        native = call_right(setting, build_right(setting, drawn.plan.source, data.inputs.shape[0]), data)
        by_hand = plan_port(setting, drawn.weights).compute(data)
        for expected, actual in zip(native, by_hand, strict=True):
            np.testing.assert_allclose(actual, expected, rtol=0, atol=100 * setting.tolerance)


def test_a_name_without_its_place_or_with_another_name_beside_it_does_not_count() -> None:
    drawn = next(
        drawn
        for drawn in (draw(task, SEED) for task in sample(1) if task.about == "kernel-reshaped" and task.kind == "one")
        if drawn.plan.setting.layers > 1 and len(drawn.expected["kernel-reshaped"].places or ()) == drawn.plan.setting.layers
    )
    finding = Finding("kernel-reshaped", {"part": "kernel"})

    def counts(*findings: Finding) -> bool:
        return names_all(Diagnosis("named", findings), drawn.expected, drawn.plan.setting)

    assert counts(finding)
    assert counts(Finding("rounded", {"part": "kernel"}, twins=("kernel-reshaped",)))
    assert not counts(replace(finding, where={"part": "kernel", "layer": 0}))
    assert not counts(replace(finding, where={"part": "bias"}))
    assert not counts(finding, Finding("rounded"))
    assert not counts(Finding("recurrent-kernel-reshaped"))
    assert not names_all(Diagnosis("not named"), drawn.expected, drawn.plan.setting)
