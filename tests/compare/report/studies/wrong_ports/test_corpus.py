"""The corpus has an entry for every mistake, with labels that are valid, in files that say all by themselves."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from compare import MISTAKES
from compare.report.studies import data
from compare.report.studies.wrong_ports.corpus import Entry, load, read
from frameworks.errors import GatewiseError

ENTRIES = load()
GATES = {"input", "forget", "candidate", "output", "update", "reset"}
PLACES: dict[str, set[int] | set[str]] = {
    "layer": {0, 1},
    "direction": {0, 1},
    "result": {0, 1, 2},
    "part": {"kernel", "recurrent kernel", "bias", "recurrent bias"},
    "gate": GATES,
}
by_name = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)


def test_every_mistake_has_an_entry_with_nothing_else() -> None:
    assert [mistake for mistake in MISTAKES if (mistake,) not in {entry.mistakes for entry in ENTRIES}] == []


def test_there_are_several_mistakes_at_a_time_right_ports_and_other_faults_in_both_directions() -> None:
    assert {len(entry.mistakes) for entry in ENTRIES} == {0, 1, 2, 3}
    for direction in ("keras-to-pytorch", "pytorch-to-keras"):
        kinds = {(len(entry.mistakes), entry.is_right) for entry in ENTRIES if entry.direction == direction}
        assert {(1, False), (0, True), (0, False)} <= kinds, direction


def test_entries_with_one_mistake_come_first_in_the_order_of_the_mistakes() -> None:
    first = [entry.mistakes[0] for entry in ENTRIES if len(entry.mistakes) == 1]
    assert [entry.mistakes[0] for entry in ENTRIES[: len(first)]] == first
    assert first == sorted(first, key=list(MISTAKES).index)


@by_name
def test_the_labels_are_valid(entry: Entry) -> None:
    assert set(entry.mistakes) <= set(MISTAKES)
    assert len(set(entry.mistakes)) == len(entry.mistakes)
    assert not (entry.mistakes and entry.is_right)
    assert tuple(entry.places) == entry.mistakes
    assert all(value in PLACES[axis] for place in entry.places.values() for axis, value in place.items())
    if len(entry.mistakes) == 1:
        assert entry.name.startswith(entry.mistakes[0].replace("-", "_"))


@by_name
def test_the_symptom_is_one_sentence_that_does_not_give_the_name_away(entry: Entry) -> None:
    assert entry.symptom.endswith(".")
    assert "\n" not in entry.symptom
    assert not any(mistake in entry.symptom for mistake in MISTAKES if "-" in mistake)


@by_name
def test_the_file_can_be_read_by_itself(entry: Entry) -> None:
    tree = ast.parse(entry.text)
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported <= {"keras", "numpy", "torch"}
    assert not any(isinstance(node, ast.ImportFrom) for node in ast.walk(tree))
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert functions == ["right", "call", "wrong", "correct"]
    assert max(len(entry.source_of(name).splitlines()) for name in functions) <= 25


@by_name
def test_the_two_ports_differ_in_a_few_lines_that_are_shown(entry: Entry) -> None:
    wrong, correct = (entry.source_of(name).splitlines()[1:] for name in ("wrong", "correct"))
    fewest = 1 if len(entry.mistakes) == 1 else 0
    assert fewest <= len(entry.wrong_lines) <= 3
    assert fewest <= len(entry.right_lines) <= 3
    assert len(wrong) - len(entry.wrong_lines) == len(correct) - len(entry.right_lines)
    assert set(entry.wrong_lines) <= {line.strip() for line in wrong}
    assert set(entry.right_lines) <= {line.strip() for line in correct}


def test_lines_of_one_port_are_not_shown_as_those_of_the_other(tmp_path: Path) -> None:
    port = "def {}(layer):\n    same = 1\n    return {}\n"
    functions = "def right(seed):\n    return torch.nn.GRU(2, 3)\n\ndef call(seed):\n    return {}\n\n"
    text = f'"""Odd."""\nMISTAKES = ("sizes", "scaled")\nWHERE = {{"scaled": {{"layer": 1}}}}\n{functions}'
    (tmp_path / "odd.py").write_text(text + port.format("wrong", "same + 1") + port.format("correct", "same"))
    entry = read(tmp_path / "odd.py")
    assert (entry.wrong_lines, entry.right_lines) == (("return same + 1",), ("return same",))
    assert entry.places == {"sizes": {}, "scaled": {"layer": 1}}
    assert (entry.direction, entry.symptom, entry.is_right, entry.where) == ("pytorch-to-keras", "Odd.", False, {})


def test_an_installed_package_says_that_it_has_no_entries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(data, "_STUDIES", tmp_path)
    with pytest.raises(GatewiseError, match=r"the study wrong_ports must have the data .*entries does not exist"):
        load()
