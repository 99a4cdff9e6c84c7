"""What became of each layer of a file that was ported, as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from compare.numbered import together
from frameworks.files import Checkpoint, Written


def render(out: Path, written: Sequence[Written], checkpoint: Checkpoint) -> str:
    """Write a table of the layers, with what to beware of below it.

    Args:
        out: the file that was written.
        written: what became of each layer.
        checkpoint: that the layers are from, whose own warnings are told too.
    """
    alike: dict[tuple[str, str], list[Written]] = {}
    for each in written:
        alike.setdefault((each.kind, each.becomes or "- not in the file"), []).append(each)
    rows = [row for (kind, becomes), layers in alike.items() for row in _rows(kind, becomes, layers)]
    text = [
        f"{out}: from {checkpoint.path.name}, {checkpoint.format}",
        tabulate(rows, headers=("layer", "is", "becomes", "at"), tablefmt="simple", disable_numparse=True),
    ]
    beware: dict[str, dict[str, None]] = {}
    for each in written:
        own = checkpoint[each.name].warnings if each.name in checkpoint else checkpoint.others[each.name].warnings
        for warning in (*each.beware, *own):
            beware.setdefault(warning, {})[each.name] = None
    if beware:
        told = (f"- {', '.join(together(names))}: {warning}" for warning, names in beware.items())
        text.append("\n".join(["Beware:", *told]))
    return "\n\n".join(text)


def _rows(kind: str, becomes: str, layers: Sequence[Written]) -> list[tuple[str, str, str, str]]:
    """Give the rows of layers that became the same, those of one numbering in one row where their places are of one too."""
    names, places = together(each.name for each in layers), together(each.place or "-" for each in layers)
    if len(names) == len(places) < len(layers):
        return [(name, kind, becomes, place) for name, place in zip(names, places, strict=True)]
    return [(each.name or repr(each.name), kind, becomes, each.place or "-") for each in layers]
