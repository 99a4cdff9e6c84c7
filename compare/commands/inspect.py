"""`gatewise inspect`: the layers of a checkpoint file."""

from __future__ import annotations

import argparse

from compare.commands import checkpoint_file
from compare.commands.outcome import Outcome

EXAMPLE = "gatewise inspect model.h5"
STATUSES = {0: "the file was read"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = "List the layers of a checkpoint file, their counterparts in the other framework, and caveats."
    checkpoint_file.add_arguments(parser)


def run(given: argparse.Namespace) -> Outcome:
    """Return the layers."""
    checkpoint = checkpoint_file.open_given(given)
    from compare.checkpoints.inspection import describe, render

    contents = describe(checkpoint)
    return Outcome(0, contents, lambda verbose: render(contents, verbose=verbose))
