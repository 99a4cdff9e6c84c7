"""Tables and warnings for a terminal; names in them may come from an untrusted file."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from unicodedata import combining, east_asian_width

from compare.checkpoints.name_ranges import together
from frameworks.escaping import printable

_WIDTH, _NARROWEST = 80, 40
_LONGEST = 240
"""The most characters of a cell, since a name in a file may have any length."""
_GAP = "  "
_EMPTY = ("", "-")
_PIECES = re.compile(r"[^./_,=]*[./_,=]+|[^./_,=]+")
"""The pieces between which a word that is too long for its column is broken."""


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], width: int | None = None) -> str:
    """Return rows of text as a table. If it is too wide, long cells are wrapped, and columns without content are left out.

    Args:
        headers: the heads of the columns.
        rows: the cells of each row, in which control characters are escaped.
        width: the most characters of a line; by default those of the terminal.
    """
    total = width or terminal_width()
    columns = list(zip(headers, *([_cut(printable(cell)) for cell in row] for row in rows), strict=True))
    widths = [max(len(column[0]) + len(_GAP), *map(_columns, column)) for column in columns]
    if _whole(widths) > total:
        columns = [column for at, column in enumerate(columns) if not (at and all(cell in _EMPTY for cell in column[1:]))]
        widths = [max(map(_columns, column)) for column in columns]
    while _whole(widths) > total and max(widths) > 1:
        widths[widths.index(max(widths))] -= 1
    head, *body = zip(*columns, strict=True)
    rule = ["-" * width for width in widths]
    return "\n".join(line for row in (head, rule, *body) for line in _lines(row, widths))


def terminal_width() -> int:
    """Return the number of columns of the terminal, or 80 if stdout is not a terminal."""
    if not sys.stdout.isatty():
        return _WIDTH
    return max(os.get_terminal_size(sys.stdout.fileno()).columns or _WIDTH, _NARROWEST)


def caveats(warnings: Iterable[tuple[str, Sequence[str]]]) -> list[str]:
    """Return a paragraph that lists each warning once, with the names of its layers; [] if there are no warnings.

    Args:
        warnings: pairs of a layer's name and its warnings.
    """
    named: dict[str, dict[str, None]] = {}
    for name, each in warnings:
        for warning in each:
            named.setdefault(warning, {})[name] = None
    if not named:
        return []
    lines = (f"- {', '.join(map(printable, together(names)))}: {printable(warning)}" for warning, names in named.items())
    return ["\n".join(["Caveats:", *lines])]


def shown_name(name: str) -> str:
    """Return a name to be shown; an empty name is shown in quotes."""
    return _cut(printable(name or repr(name)))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _columns(text: str) -> int:
    """Return the number of columns that a terminal uses for a text."""
    if text.isascii():
        return len(text)
    return sum((not combining(each)) * (2 if east_asian_width(each) in ("W", "F") else 1) for each in text)


def _whole(widths: Sequence[int]) -> int:
    """Return the width of a table."""
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _lines(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    """Yield the lines of a row. Those that continue the first column are indented, so that they do not look like a row."""
    first, *others = (_wrap(cell, width, "  " * (not at)) for at, (cell, width) in enumerate(zip(row, widths, strict=True)))
    for line in zip_longest(first, *others, fillvalue=""):
        padded = (part + " " * (width - _columns(part)) for part, width in zip(line, widths, strict=True))
        yield _GAP.join(padded).rstrip()


def _wrap(text: str, width: int, indent: str) -> list[str]:
    """Break a text into lines: between words if it can be, otherwise after punctuation or anywhere."""
    lines = [""]
    for number, word in enumerate(text.split(" ")):
        fits = _columns(word) <= width - len(indent)
        for at, piece in enumerate([word] if fits else _pieces(word, width - len(indent))):
            joined = lines[-1] + " " * (not at and number > 0) + piece
            if _columns(joined) <= width:
                lines[-1] = joined
            else:
                lines.append(indent + piece)
    return lines


def _pieces(word: str, width: int) -> Iterator[str]:
    for piece in _PIECES.findall(word):
        rest = ""
        for each in piece:
            if rest and _columns(rest + each) > max(width, 1):
                yield rest
                rest = ""
            rest += each
        yield rest
