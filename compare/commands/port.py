"""`gatewise port`: convert a checkpoint file to another format."""

from __future__ import annotations

import argparse
from pathlib import Path

from compare.commands import checkpoint_file
from compare.commands.outcome import Outcome

EXAMPLE = "gatewise port model.h5 model.safetensors"
STATUSES = {0: "the file was written"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Write the layers of a checkpoint file to another file, whose ending chooses the format, and list what each became."
    )
    checkpoint_file.add_arguments(parser)
    parser.add_argument("out", type=Path, metavar="OUT", help="the file to write")
    parser.add_argument("--layer", metavar="NAME", action="append", help="write only this recurrent layer; can be repeated")
    parser.add_argument("--force", action="store_true", help="replace OUT if it exists")


def run(given: argparse.Namespace) -> Outcome:
    """Write the file, and return what became of each layer."""
    checkpoint = checkpoint_file.open_given(given)
    from compare.checkpoints.port_summary import render
    from frameworks.files import save_checkpoint

    chosen = {name: checkpoint[name] for name in given.layer} if given.layer else checkpoint
    written = save_checkpoint(given.out, chosen, force=given.force)
    results = {"path": given.out, "format": checkpoint.format, "written": written}
    return Outcome(0, results, lambda verbose: render(given.out, written, checkpoint, verbose=verbose))
