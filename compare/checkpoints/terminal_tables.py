"""Tables and warnings for a terminal, of names that may come from a stranger's file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tabulate import tabulate

from compare.checkpoints.name_ranges import together
from frameworks.errors import printable

_WIDEST = 100


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out rows of text; no cell acts on the terminal or is wider than a line or two."""
    shown = [[_cut(printable(cell)) for cell in row] for row in rows]
    return tabulate(shown, headers=headers, tablefmt="simple", disable_numparse=True)


def beware(warnings: Iterable[tuple[str, Sequence[str]]]) -> list[str]:
    """Give a paragraph with the warnings of all layers, each once with the names of those that it is of; none for none.

    Args:
        warnings: by name of the layer.
    """
    named: dict[str, dict[str, None]] = {}
    for name, said in warnings:
        for warning in said:
            named.setdefault(warning, {})[name] = None
    if not named:
        return []
    told = (f"- {', '.join(map(printable, together(names)))}: {printable(warning)}" for warning, names in named.items())
    return ["\n".join(["Beware:", *told])]


def shown_name(name: str) -> str:
    """Give a name to be read; one of no characters in quotes."""
    return _cut(printable(name or repr(name)))


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."
