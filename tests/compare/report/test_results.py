"""Results are data that survive a file, and two runs agree by the kind of each value."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.report.results import (
    Results,
    Value,
    all_passed,
    control,
    disagreements,
    environment,
    exact,
    measured,
    read_results,
    write_results,
)
from frameworks import GatewiseError

TREE: dict[str, dict[str, Value]] = {
    "page": {
        "names": exact(["input", "forget"]),
        "mistake": control(0.5),
        "error": measured(3e-8, 1e-5),
        "version": environment("3.15"),
    }
}


def change(**values: Value) -> Results:
    return {"page": {**TREE["page"], **values}}


def test_a_tree_survives_its_file(tmp_path: Path) -> None:
    write_results(TREE, tmp_path / "results.json")
    assert read_results(tmp_path / "results.json") == TREE


def test_a_value_that_changes_is_one_line_that_changes(tmp_path: Path) -> None:
    for name, tree in (("one", TREE), ("other", change(names=exact(["forget", "input"])))):
        write_results(tree, tmp_path / name)
    one, other = ((tmp_path / name).read_text(encoding="utf-8").splitlines() for name in ("one", "other"))
    assert len([line for line in one if line not in other]) == 1
    assert len(one) == len(other) == 4 + 4


def test_a_run_agrees_with_itself() -> None:
    assert list(disagreements(TREE, TREE)) == []


@pytest.mark.parametrize(
    "values",
    [
        {"mistake": control(0.54)},
        {"mistake": control(0.46)},
        {"error": measured(9e-6, 1e-5)},
        {"error": measured(0.0, 1e-5)},
        {"version": environment("4.0")},
    ],
)
def test_what_another_machine_may_find_is_no_disagreement(values: dict[str, Value]) -> None:
    assert list(disagreements(TREE, change(**values))) == []


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"names": exact(["forget", "input"])}, "page/names"),
        ({"mistake": control(0.4)}, "page/mistake"),
        ({"mistake": control(0.6)}, "page/mistake"),
        ({"error": measured(2e-5, 1e-5)}, "page/error"),
        ({"error": measured(float("nan"), 1e-5)}, "page/error"),
        ({"version": exact("3.15")}, "page/version"),
        ({"more": exact(1)}, "page/more"),
    ],
)
def test_what_a_report_no_longer_says_is_named(values: dict[str, Value], place: str) -> None:
    (sentence,) = disagreements(TREE, change(**values))
    assert sentence.startswith(place)


def test_what_is_gone_is_named() -> None:
    (sentence,) = disagreements(change(more=exact(1)), TREE)
    assert sentence == "page/more is gone in a fresh run"


def test_an_error_passes_up_to_what_is_allowed_and_nan_never() -> None:
    assert all_passed(TREE)
    assert all_passed({"error": measured(1e-5, 1e-5)})
    assert not all_passed({"error": measured(1.01e-5, 1e-5)})
    assert not all_passed({"error": measured(float("nan"), 1e-5)})
    assert not all_passed({"error": measured(float("inf"), 1e-5)})


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"a": 3}', '{"kind": "exact", "value": 1}'])
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(
        GatewiseError, match=r"results\.json must hold .*, but .*\. (Delete it, and run|Run) `gatewise report`\."
    ):
        read_results(tmp_path / "results.json")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GatewiseError, match=r"gone\.json must hold"):
        read_results(tmp_path / "gone.json")
