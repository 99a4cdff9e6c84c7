"""The score of a function that names mistakes counts what it got right, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pytest

from compare import diagnose
from compare.report.studies.wrong_ports.corpus import Entry, load
from compare.report.studies.wrong_ports.naming import judge, said_by, score
from compare.report.studies.wrong_ports.score import totals

pytestmark = pytest.mark.frameworks
ENTRIES = {entry.name: entry for entry in load()}
SHORTFALLS: Mapping[str, str] = MappingProxyType(
    {
        "bias_dropped": "the arrays of a module without biases are not those of one with them",
        "reset_after": "a loop of one's own over tensors, with one bias",
        "mask_ignored_backwards_to_keras": "a Keras layer of one's own around two layers",
    }
)
"""Entries that diagnose does not name, and why."""


@dataclass(frozen=True)
class Found:
    mistake: str
    where: Mapping[str, Any]
    twins: tuple[str, ...] = ()


@dataclass(frozen=True)
class Said:
    verdict: str
    findings: tuple[Found, ...] = ()


GATES = Found("gates-permuted", {})
BIAS = Found("bias-doubled", {"part": "bias"}, ("bias-halved",))


@pytest.mark.parametrize(
    ("said", "places", "outcome"),
    [
        (Said("named", (GATES,)), {"gates-permuted": {}}, "named"),
        (Said("named", (GATES, BIAS)), {"bias-doubled": {"part": "bias"}, "gates-permuted": {}}, "named"),
        (Said("named", (BIAS,)), {"bias-halved": {"part": "bias"}}, "twin"),
        (Said("named", (BIAS,)), {"bias-doubled": {}}, "wrong place"),
        (Said("named", (BIAS,)), {"bias-doubled": {"part": "bias", "direction": 1}}, "wrong place"),
        (Said("named", (BIAS,)), {"bias-doubled": {"part": "kernel"}}, "wrong place"),
        (Said("named", (GATES, BIAS)), {"gates-permuted": {}}, "false name"),
        (Said("named", (GATES,)), {"gates-permuted": {}, "bias-doubled": {}}, "not named"),
        (Said("named", (GATES,)), {"kernel-reshaped": {}}, "false name"),
        (Said("named", (GATES,)), {}, "false name"),
        (Said("not named"), {"gates-permuted": {}}, "not named"),
        (Said("not named"), {}, "not named"),
        (Said("right"), {"gates-permuted": {}}, "called right"),
        (Said("right"), {}, "called right"),
    ],
)
def test_a_wrong_port_must_be_named_with_its_place(said: Said, places: Any, outcome: str) -> None:
    assert judge(said, places, is_right=False) == outcome


@pytest.mark.parametrize(
    ("said", "outcome"),
    [(Said("right"), "right"), (Said("named", (GATES,)), "false name"), (Said("not named"), "false name")],
)
def test_a_right_port_must_be_called_right(said: Said, outcome: str) -> None:
    assert judge(said, {}, is_right=True) == outcome


def test_layer_direction_and_result_0_may_be_added_to_a_place_and_what_no_label_has() -> None:
    for where, outcome in (
        ({"layer": 0, "direction": 0}, "named"),
        ({"result": 0}, "named"),
        ({"rows": "0, 2"}, "named"),
        ({"layer": 1}, "wrong place"),
        ({"part": "kernel"}, "wrong place"),
    ):
        assert judge(Said("named", (Found("scaled", where),)), {"scaled": {}}, is_right=False) == outcome


FEW = ("gates_permuted", "bias_doubled", "two_gates_and_batch", "right_bias_split", "other_residual")


def scored(function: Any) -> dict[tuple[str, str], str]:
    entries = [ENTRIES[name] for name in FEW]
    return {(each.entry, each.which): f"{each.outcome}{'' if each.good else ' (!)'}" for each in score(function, entries)}


def test_a_function_that_always_names_the_same_is_right_once_and_raises_every_false_alarm() -> None:
    assert scored(lambda *_, **__: Said("named", (GATES,))) == {
        ("gates_permuted", "wrong"): "named",
        ("gates_permuted", "correct"): "false name (!)",
        ("bias_doubled", "wrong"): "false name (!)",
        ("bias_doubled", "correct"): "false name (!)",
        ("two_gates_and_batch", "wrong"): "not named (!)",
        ("two_gates_and_batch", "correct"): "false name (!)",
        ("right_bias_split", "wrong"): "false name (!)",
        ("other_residual", "wrong"): "false name (!)",
        ("other_residual", "correct"): "false name (!)",
    }


def test_a_function_that_finds_everything_right_raises_no_false_alarm_and_names_nothing() -> None:
    found = scored(lambda *_, **__: Said("right"))
    assert {outcome for (name, which), outcome in found.items() if which == "correct" or name.startswith("right")} == {"right"}
    assert {outcome for (name, which), outcome in found.items() if which == "wrong" and not name.startswith("right")} == {
        "called right (!)"
    }


def test_a_function_that_raises_is_counted_and_quoted() -> None:
    def raises(*_: Any, **__: Any) -> Any:
        message = "no idea"
        raise RuntimeError(message)

    scores = list(score(raises, [ENTRIES["bias_doubled"]]))
    assert [(each.outcome, each.good, each.said) for each in scores] == [("error", False, "RuntimeError: no idea")] * 2


def test_a_function_gets_what_the_entry_calls_with() -> None:
    given: list[set[str]] = []
    list(
        score(
            lambda *_, **call: given.append(set(call)),
            [ENTRIES[name] for name in ("scaled", "mask_ignored", "state_forgotten")],
        )
    )
    assert given[::2] == [{"inputs"}, {"inputs", "mask"}, {"inputs", "initial_state"}]


def test_the_totals_are_the_counts_of_the_scores() -> None:
    counts = totals(list(score(lambda *_, **__: Said("named", (GATES,)), [ENTRIES[name] for name in FEW])))
    assert counts["one mistake named"] == "1 of 2"
    assert counts["two mistakes named"] == "0 of 1"
    assert counts["false alarm"] == "5 of 5"
    assert counts["false name"] == "2 of 4"
    assert (counts["error"], counts["wrong, called right"], counts["wrong place"]) == ("0 of 9", "0 of 4", "0 of 3")


def test_what_was_said_is_one_line() -> None:
    assert said_by(Said("named", (GATES, BIAS))) == "gates-permuted; bias-doubled (part bias)"
    assert said_by(Said("not named")) == "not named"


@pytest.mark.parametrize("entry", list(ENTRIES.values())[::20], ids=lambda entry: entry.name)
def test_diagnose_names_the_mistake_and_calls_the_correct_port_right(entry: Entry) -> None:
    """A sample; `python -m compare.report.studies.wrong_ports.score` scores all of them."""
    bad = [each for each in score(diagnose, [entry]) if not each.good]
    assert bool(bad) is (entry.name in SHORTFALLS), bad
