"""What became of each layer of a file that was ported, as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from compare.checkpoints.name_ranges import together
from compare.checkpoints.terminal_tables import beware, shown_name, table
from frameworks.errors import printable
from frameworks.files import Checkpoint, OtherLayer, StoredLayer, Written


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
    found: dict[str, OtherLayer | StoredLayer] = {**checkpoint.others, **checkpoint}
    warnings = ((each.name, (*each.beware, *found[each.name].warnings)) for each in written)
    head = printable(f"{out}: from {checkpoint.path.name}, {checkpoint.format}")
    return "\n\n".join([head, table(("layer", "is", "becomes", "at"), rows), *beware(warnings)])


def _rows(kind: str, becomes: str, layers: Sequence[Written]) -> list[tuple[str, str, str, str]]:
    """Give the rows of layers that became the same, those of one numbering in one row where their places are of one too."""
    names, places = together(each.name for each in layers), together(each.place or "-" for each in layers)
    if len(names) == len(places) < len(layers):
        return [(name, kind, becomes, place) for name, place in zip(names, places, strict=True)]
    return [(shown_name(each.name), kind, becomes, each.place or "-") for each in layers]
