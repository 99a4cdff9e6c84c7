"""How results show in a REPL and in a notebook: `repr()` in one line, and a Markdown table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from frameworks.escaping import markdown_code, markdown_text, printable

_CELL, _ROWS = 240, 100
"""The most characters of a cell, and the most rows of a table: names in a file may have any length."""


class Shown:
    """The base of a result that shows as one line in `repr()` and as a table in a notebook. Neither ever raises."""

    _longest: ClassVar[int] = 120
    """The most characters of the line."""

    def _in_a_line(self) -> str:
        """Return what the result is, its sizes and its verdict, without line breaks. Control characters may be in it."""
        raise NotImplementedError

    def to_markdown(self) -> str:
        """Return the result as Markdown that ends in a line break."""
        raise NotImplementedError

    def __repr__(self) -> str:
        """Return the result in one line."""
        try:
            line = self._in_a_line()
        except Exception:  # noqa: BLE001  a debugger shows objects that are not ready, and a file may hold nonsense
            line = type(self).__name__
        return f"<{shortened(line, self._longest - 2)}>"

    def _repr_markdown_(self) -> str:
        """Return the result as a notebook shows it."""
        try:
            return self.to_markdown()
        except Exception:  # noqa: BLE001  as in __repr__
            return f"{markdown_code(repr(self))}\n"


def shortened(text: str, longest: int) -> str:
    """Return a text without control characters, cut if it is too long."""
    shown = printable(text)
    return shown if len(shown) <= longest else f"{shown[: longest - 3]}..."


def markdown_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    r"""Return a table in GitHub's Markdown, whose cells show exactly the text that they are given.

    Args:
        headers: the heads of the columns.
        rows: the cells of each row. Of many rows, the first are shown, and how many there are.

    Example:
        >>> from frameworks.showing import markdown_table
        >>> print(markdown_table(("layer", "units"), [("a|b", 4)]))
        | layer | units |
        | --- | --- |
        | a\|b | 4 |
    """
    every = [[markdown_text(shortened(str(cell), _CELL)) for cell in row] for row in rows]
    lines = [_line([markdown_text(head) for head in headers]), _line(["---"] * len(headers)), *map(_line, every[:_ROWS])]
    left_out = f"\n\n{len(every)} rows, of which the first {_ROWS} are shown." if len(every) > _ROWS else ""
    return "\n".join(lines) + left_out


def markdown_list(items: Iterable[str]) -> str:
    """Return texts as a list in Markdown; "" if there are none."""
    return "\n".join(f"* {markdown_text(item)}" for item in items)


def markdown_blocks(*blocks: str) -> str:
    """Join blocks of Markdown; empty ones are left out."""
    return "\n\n".join(block for block in blocks if block) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
