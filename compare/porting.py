"""What became of each layer of a file that was ported, as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from compare.tables import beware, shown_name, table
from frameworks.errors import printable
from frameworks.files import Checkpoint, OtherLayer, StoredLayer, Written


def render(out: Path, written: Sequence[Written], checkpoint: Checkpoint) -> str:
    """Write a table of the layers, with what to beware of below it.

    Args:
        out: the file that was written.
        written: what became of each layer.
        checkpoint: that the layers are from, whose own warnings are told too.
    """
    rows = [(shown_name(each.name), each.kind, each.becomes or "- not in the file", each.place or "-") for each in written]
    found: dict[str, OtherLayer | StoredLayer] = {**checkpoint.others, **checkpoint}
    warnings = ((each.name, (*each.beware, *found[each.name].warnings)) for each in written)
    head = printable(f"{out}: from {checkpoint.path.name}, {checkpoint.format}")
    return "\n\n".join([head, table(("layer", "is", "becomes", "at"), rows), *beware(warnings)])
