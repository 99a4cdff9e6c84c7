"""The outcome of porting a file, layer by layer, as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    sources: dict[str, OtherLayer | StoredLayer] = {**checkpoint.others, **checkpoint}
    known = {name: layer.warnings for name, layer in sources.items()}  # a whole model in a .keras file also has inner models
    warnings = ((each.name, (*each.caveats, *known.get(each.name, ()))) for each in written)
    return _text(f"{out}: from {checkpoint.path.name}, {checkpoint.format}", written, warnings, verbose=verbose)


def render_model(out: Path, source: Path, written: Sequence[Written], *, verbose: bool = False) -> str:
    """Return a table of a whole model in a .keras file, and of its layers, with their caveats below it.

    Args:
        out: the file that was written.
        source: the file of the model.
        written: the outcome of the model and of each layer.
        verbose: whether all names that differ only in numbers are listed.
    """
    caveats_by_layer = ((each.name, each.caveats) for each in written)
    return _text(f"{out}: the model of {source.name}, connected", written, caveats_by_layer, verbose=verbose)


def _text(head: str, written: Sequence[Written], warnings: Iterable[tuple[str, Sequence[str]]], *, verbose: bool) -> str:
    alike: dict[tuple[str, str], list[Written]] = {}
    for each in written:
        alike.setdefault((each.kind, each.becomes or "- not written"), []).append(each)
    rows = [row for (kind, becomes), layers in alike.items() for row in _rows(kind, becomes, layers, verbose=verbose)]
    return "\n\n".join([printable(head), table(("layer", "is", "becomes", "at"), rows), *caveats(warnings)])


def _rows(kind: str, becomes: str, layers: Sequence[Written], *, verbose: bool) -> list[tuple[str, str, str, str]]:
    """Return the rows of layers with the same outcome; numbered layers share a row if their places are numbered alike."""
    names, places = together(each.name for each in layers), together(each.place or "-" for each in layers)
    if not verbose and len(names) == len(places) < len(layers):
        return [(name, kind, becomes, place) for name, place in zip(names, places, strict=True)]
    return [(shown_name(each.name), kind, becomes, each.place or "-") for each in layers]
