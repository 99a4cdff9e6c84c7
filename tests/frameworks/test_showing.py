"""A result shows as one harmless line in a REPL and as a table in a notebook, whatever names are in it.

Covers: `frameworks/showing.py`, `frameworks/shown_layers.py`, and the classes that show through them and need no framework.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare.parity.verdict import ParityResult
from compare.returns.mapping import ReturnsMap
from compare.training.checkpoint import TrainingCheckpoint
from compare.training.trajectory import Trajectory
from frameworks import CopySummary, RecurrentSpec
from frameworks.files import Checkpoint, OtherLayer, StoredLayer, open_checkpoint
from frameworks.options import KerasOptions
from frameworks.showing import Shown, markdown_table, shortened

HOSTILE = "a\x1b[31m\r\nrow | x\u202e\u2028b`<script>alert(1)</script>**b**[l](u)"
CLASSES = (CopySummary, StoredLayer, OtherLayer, Checkpoint, ReturnsMap, ParityResult, Trajectory, TrainingCheckpoint)


class Thing(Shown):
    def __init__(self, line: Any, table: str = "") -> None:
        self.line, self.table = line, table

    def _in_a_line(self) -> str:
        return str(self.line)

    def to_markdown(self) -> str:
        if not self.table:
            raise ValueError(HOSTILE)
        return self.table


class Unshowable:
    def __str__(self) -> str:
        raise RuntimeError


def cells(row: str) -> list[str]:
    """Return the cells of a row of a table as GitHub splits it."""
    assert row.startswith("| ")
    assert row.endswith(" |")
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]


def test_a_line_is_short_and_harmless() -> None:
    assert repr(Thing("four words in it")) == "<four words in it>"
    line = repr(Thing(HOSTILE * 9))
    assert line.isprintable()
    assert len(line) == 120
    assert line.startswith("<a\\x1b[31m\\r\\nrow | x")
    assert line.endswith("...>")


def test_what_cannot_be_shown_shows_its_class() -> None:
    assert repr(Thing(Unshowable())) == "<Thing>"
    assert Thing("fine")._repr_markdown_() == "`<fine>`\n"
    assert Thing(HOSTILE)._repr_markdown_().count("\n") == 1
    assert Thing("", "| a |")._repr_markdown_() == "| a |"


@pytest.mark.parametrize("kind", CLASSES)
def test_an_object_whose_making_failed_still_shows(kind: type[Any]) -> None:
    broken = object.__new__(kind)
    assert repr(broken) == f"<{kind.__name__}>"
    assert broken._repr_markdown_() == f"`<{kind.__name__}>`\n"


def test_a_table_shows_each_name_in_one_cell() -> None:
    table = markdown_table(("name", HOSTILE), [(HOSTILE, 3), ("x", (2, 5))])
    head, rule, first, second = table.split("\n")
    assert cells(rule) == ["---", "---"]
    assert [len(cells(row)) for row in (head, first, second)] == [2, 2, 2]
    assert cells(head)[0] == "name"
    assert cells(second) == ["x", "(2, 5)"]
    assert "<script>" not in table
    assert "\\*\\*b\\*\\*\\[l\\]" in table
    assert table.replace("\n", "").isprintable()


def test_a_long_table_is_cut_and_says_so() -> None:
    lines = markdown_table(("number",), ((number,) for number in range(230))).split("\n")
    assert lines[-1] == "230 rows, of which the first 100 are shown."
    assert lines[-3] == "| 99 |"
    assert "shown" not in markdown_table(("number",), ((number,) for number in range(100)))


def test_a_text_is_cut_only_where_it_is_too_long() -> None:
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abcdefg", 6) == "abc..."
    assert shortened("a\nb", 6) == "a\\nb"


def test_a_spec_shows_as_the_call_that_makes_it() -> None:
    spec = RecurrentSpec("gru", 3, 4, bidirectional=True, reset_after=False)
    assert repr(spec) == "RecurrentSpec(cell='gru', input_size=3, hidden_size=4, bidirectional=True, reset_after=False)"
    assert eval(repr(spec)) == spec  # noqa: S307  the promise
    assert repr(RecurrentSpec("lstm", 3, 4)) == "RecurrentSpec(cell='lstm', input_size=3, hidden_size=4)"
    assert repr(object.__new__(RecurrentSpec)) == "RecurrentSpec()"


def stored(folder: Path, name: str) -> Checkpoint:
    rng = np.random.default_rng(0)
    shapes = {"weight_ih": (16, 3), "weight_hh": (16, 4), "bias_ih": (16,), "bias_hh": (16,)}
    arrays = {f"{name}.{part}_l0": rng.normal(size=shape).astype("f4") for part, shape in shapes.items()}
    arrays |= {"head.weight": np.zeros((2, 4), "f4"), "head.bias": np.zeros(2, "f4")}
    np.savez(folder / "model.npz", **arrays)  # type: ignore[arg-type]  # as its stubs have it
    return open_checkpoint(folder / "model.npz")


def test_a_file_shows_its_layers(tmp_path: Path) -> None:
    checkpoint = stored(tmp_path, "encoder")
    assert repr(checkpoint) == "<NumPy model.npz: encoder>"
    assert checkpoint._repr_markdown_().split("\n") == [
        "model.npz: NumPy",
        "",
        "| layer | is | sizes |",
        "| --- | --- | --- |",
        "| encoder | LSTM | 3 -&gt; 4 |",
        "| head | Linear | weight (2, 4), bias (2,) |",
        "",
    ]
    assert repr(checkpoint["encoder"]) == "<StoredLayer 'encoder', pytorch LSTM (3 -> 4)>"
    assert repr(checkpoint.others["head"]) == "<OtherLayer 'head', Linear: weight (2, 4), bias (2,)>"
    shown = checkpoint["encoder"]._repr_markdown_()
    assert "| hidden\\_size | 4 |" in shown.split("\n")
    assert "* the file does not state batch\\_first." in shown
    assert "| weight | (2, 4) |" in checkpoint.others["head"]._repr_markdown_().split("\n")


def test_names_of_a_file_do_no_harm(tmp_path: Path) -> None:
    name = HOSTILE.replace("/", "")
    checkpoint = stored(tmp_path, name)
    (layer,) = checkpoint.values()
    for line in (repr(checkpoint), repr(layer)):
        assert line.isprintable()
        assert len(line) <= 120
        assert "\\x1b[31m\\r\\nrow" in line
    table = checkpoint._repr_markdown_()
    assert "<script>" not in table
    assert [len(cells(row)) for row in table.split("\n")[2:6]] == [3] * 4
    rows = [row for row in layer._repr_markdown_().split("\n") if row.startswith("|")]
    assert {len(cells(row)) for row in rows} == {2}


def test_a_copy_shows_in_a_line_and_as_a_row() -> None:
    summary = CopySummary("Keras GRU 'a|b' (3 -> 4)", "PyTorch nn.GRU (3 -> 4)", 1, 4)
    assert repr(summary) == "<copied Keras GRU 'a|b' (3 -> 4) into PyTorch nn.GRU (3 -> 4): 1 layer, 4 arrays>"
    assert (
        summary._repr_markdown_().split("\n")[2] == "| Keras GRU 'a\\|b' (3 -&gt; 4) | PyTorch nn.GRU (3 -&gt; 4) | 1 | 4 |  |"
    )


def test_a_map_shows_what_its_results_are() -> None:
    layer_map = ReturnsMap(RecurrentSpec("gru", 3, 4), KerasOptions(return_sequences=True, return_state=True))
    assert repr(layer_map) == "<ReturnsMap of rnn(x): result[0] = output; result[1] = h_n[0]>"
    assert layer_map._repr_markdown_() == layer_map.to_markdown()


def trained(notes: tuple[str, ...] = ()) -> Trajectory:
    losses = {"keras": np.array([1.0, 0.5]), "pytorch": np.array([1.0, 0.75])}
    distances = {"pytorch": {"dense.kernel": np.array([0.0, 0.1]), "dense|bias": np.array([0.0, 0.2])}}
    return Trajectory(losses, np.array([0, 2]), distances, notes)


def test_a_training_shows_its_largest_differences() -> None:
    assert repr(trained()) == "<Trajectory of 2 steps: pytorch losses up to 2.5e-01, parameters up to 2.0e-01 off>"
    assert trained(("one\ntwo",))._repr_markdown_().split("\n") == [
        "2 steps",
        "",
        "| side | largest difference of the losses | at step | largest difference of a parameter after 2 steps | parameter |",
        "| --- | --- | --- | --- | --- |",
        "| pytorch | 2.5e-01 | 1 | 2.0e-01 | dense\\|bias |",
        "",
        "* one\\\\ntwo",
        "",
    ]
    empty = Trajectory({"keras": np.array([]), "pytorch": np.array([])}, np.array([]), {"pytorch": {}})
    assert repr(empty) == "<Trajectory of 0 steps: pytorch losses up to -, parameters up to - off>"
    assert str(empty) == "0 steps."


def test_a_checkpoint_of_a_training_shows_its_files_and_settings(tmp_path: Path) -> None:
    checkpoint = TrainingCheckpoint(Path("run.npz"), {"seed": 0, "words": "a|b"})
    assert repr(checkpoint) == "<TrainingCheckpoint run.npz: seed=0, words='a|b'>"
    (tmp_path / "run.npz").touch()
    rows = TrainingCheckpoint(tmp_path / "run.npz", {"words": "a|b"})._repr_markdown_().split("\n")
    assert cells(rows[2])[1] == "is there"
    assert cells(rows[3])[1] == "is not written yet"
    assert rows[5] == "| words | a\\|b |"
