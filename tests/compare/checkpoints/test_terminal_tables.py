"""Tables fit the terminal, or 80 columns in a pipe: long cells are wrapped, and nothing in them acts on the terminal."""

from __future__ import annotations

import os
from typing import Any

import pytest

from compare.checkpoints import terminal_tables
from compare.checkpoints.terminal_tables import table


def widest(text: str) -> int:
    return max(map(len, text.splitlines()))


def test_a_table_that_fits_is_shown_as_it_is() -> None:
    assert table(("layer", "is"), [("lstm", "LSTM"), ("", "-")]) == "layer    is\n-------  ----\nlstm     LSTM\n         -"


@pytest.mark.parametrize("columns", [1, 3, 7])
@pytest.mark.parametrize("cell", ["x" * 300, "a word " * 40, "model.encoder.layers.0.self_attention_block." * 6, "語" * 90])
def test_long_cells_are_wrapped_and_lose_nothing(columns: int, cell: str) -> None:
    text = table([f"h{number}" for number in range(columns)], [[cell[:240].strip()] * columns], 80)
    assert max(map(terminal_tables._columns, text.splitlines())) <= 80
    for kept in set(cell[:240].strip()) - {" "}:
        assert "".join(text.splitlines()[2:]).count(kept) == cell[:240].strip().count(kept) * columns


def test_a_line_ends_at_a_space_or_after_punctuation_if_it_can() -> None:
    text = table(("layer", "is"), [("speech.encoder.stack", "an LSTM of one direction")], 24)
    assert text.splitlines()[2:] == ["speech.      an LSTM of", "  encoder.   one", "  stack      direction"]


def test_columns_without_content_are_left_out_of_a_table_that_is_too_wide() -> None:
    assert "mask" in table(("layer", "mask"), [("x", "-")])
    assert "mask" not in table(("layer", "mask"), [("x" * 90, "-")])
    assert "mask" in table(("layer", "mask"), [("x" * 90, "-"), ("y", "embedding")])


def test_a_name_of_any_length_makes_a_short_table() -> None:
    assert len(table(("layer",), [["x" * 1_000_000], ["y"]])) < 500


def test_a_name_cannot_begin_a_line_of_its_own() -> None:
    text = table(("layer", "verdict"), [("x\nlstm     same\x1b[1A\u202e", "DIFFERS")])
    assert text.splitlines()[2].startswith("x\\nlstm     same\\x1b[1A\\u202e")
    assert text.count("\n") == 2
    wrapped = table(("layer", "verdict"), [("x" * 70 + " lstm     same", "DIFFERS")])
    assert [line for line in wrapped.splitlines()[3:] if not line.startswith("  ")] == []


def test_a_wider_terminal_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

        def fileno(self) -> int:
            return 1

    cells: Any = [["y" * 90]]
    assert widest(table(("layer",), cells)) == 80
    monkeypatch.setattr(terminal_tables.sys, "stdout", Terminal())  # type: ignore[attr-defined]
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((120, 40)))
    assert widest(table(("layer",), cells)) == 90
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((0, 0)))
    assert widest(table(("layer",), cells)) == 80
