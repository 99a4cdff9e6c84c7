"""What became of each layer of a file that was ported, as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from frameworks.files import Checkpoint, Written


def render(out: Path, written: Sequence[Written], checkpoint: Checkpoint) -> str:
    """Write a table of the layers, with what to beware of below it.

    Args:
        out: the file that was written.
        written: what became of each layer.
        checkpoint: that the layers are from, whose own warnings are told too.
    """
    rows = [
        (each.name or repr(each.name), each.kind, each.becomes or "- not in the file", each.place or "-") for each in written
    ]
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
        told = (f"- {', '.join(name or repr(name) for name in names)}: {warning}" for warning, names in beware.items())
        text.append("\n".join(["Beware:", *told]))
    return "\n\n".join(text)
