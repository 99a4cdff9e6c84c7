"""Tables and warnings for a terminal; names in them may come from an untrusted file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tabulate import tabulate

from compare.checkpoints.name_ranges import together
from frameworks.errors import printable

_WIDEST = 100


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows of text as a table. No cell contains control characters, and long cells are cut."""
    shown = [[_cut(printable(cell)) for cell in row] for row in rows]
    return tabulate(shown, headers=headers, tablefmt="simple", disable_numparse=True)


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
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."
