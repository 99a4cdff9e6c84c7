"""The outcome of porting a file, layer by layer, as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from compare.checkpoints.name_ranges import together
from compare.checkpoints.terminal_tables import caveats, shown_name, table
from frameworks.escaping import printable
from frameworks.files import Checkpoint, OtherLayer, StoredLayer, Written


def render(out: Path, written: Sequence[Written], checkpoint: Checkpoint, *, verbose: bool = False) -> str:
    """Return a table of the layers, with their caveats below it.

    Args:
        out: the file that was written.
        written: the outcome of each layer.
        checkpoint: the source of the layers; its warnings are listed too.
        verbose: whether all names that differ only in numbers are listed.
    """
    alike: dict[tuple[str, str], list[Written]] = {}
    for each in written:
        alike.setdefault((each.kind, each.becomes or "- not written"), []).append(each)
    rows = [row for (kind, becomes), layers in alike.items() for row in _rows(kind, becomes, layers, verbose=verbose)]
    sources: dict[str, OtherLayer | StoredLayer] = {**checkpoint.others, **checkpoint}
    warnings = ((each.name, (*each.caveats, *sources[each.name].warnings)) for each in written)
    head = printable(f"{out}: from {checkpoint.path.name}, {checkpoint.format}")
    return "\n\n".join([head, table(("layer", "is", "becomes", "at"), rows), *caveats(warnings)])


def _rows(kind: str, becomes: str, layers: Sequence[Written], *, verbose: bool) -> list[tuple[str, str, str, str]]:
    """Return the rows of layers with the same outcome; numbered layers share a row if their places are numbered alike."""
    names, places = together(each.name for each in layers), together(each.place or "-" for each in layers)
    if not verbose and len(names) == len(places) < len(layers):
        return [(name, kind, becomes, place) for name, place in zip(names, places, strict=True)]
    return [(shown_name(each.name), kind, becomes, each.place or "-") for each in layers]
