"""A terminal shows the progress of a search in one line that is removed at the end; a pipe shows nothing."""

from __future__ import annotations

import io
import re
import time

import pytest

from compare.commands.searching.progress_line import ProgressLine


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def screen(written: str) -> str:
    """Return what a terminal shows after a text without line breaks."""
    shown: list[str] = []
    for line in written.split("\r"):
        shown[: len(line)] = line
    return "".join(shown).rstrip()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_the_line_has_a_bar_and_the_time_left(clock: list[float]) -> None:
    stream = Terminal()
    line = ProgressLine(stream, shown=True)
    line.show("gates", 0, 8)
    assert screen(stream.getvalue()) == "gates [........................] 0 of 8"
    clock[0] += 6
    line.show("gates", 2, 8)
    assert screen(stream.getvalue()) == "gates [######..................] 2 of 8  18 s left"
    line.show("of another search", 0, 3)
    assert "left" not in screen(stream.getvalue())
    clock[0] += 1
    line.show("of another search", 1, 3)
    assert screen(stream.getvalue()).endswith("1 of 3  2 s left")


def test_the_line_is_removed_and_never_wraps() -> None:
    stream = Terminal()
    with ProgressLine(stream, shown=True) as line:
        line.show("a search with a long name " * 9, 1, 2)
        assert 0 < len(screen(stream.getvalue())) < 80
    assert screen(stream.getvalue()) == ""
    assert not re.search(r"[\n\x1b]", stream.getvalue())


@pytest.mark.parametrize(("stream", "shown"), [(io.StringIO(), True), (Terminal(), False)])
def test_nothing_is_shown_in_a_pipe_or_when_asked_to_be_quiet(stream: io.StringIO, *, shown: bool) -> None:
    with ProgressLine(stream, shown=shown) as line:
        line.show("gates", 1, 2)
    assert stream.getvalue() == ""


def test_a_search_of_nothing_is_no_error() -> None:
    stream = Terminal()
    ProgressLine(stream, shown=True).show("gates", 0, 0)
    assert stream.getvalue() == ""
