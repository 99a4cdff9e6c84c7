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
    parser.add_argument("--graph", action="store_true", help="print the model's wiring as a Mermaid flowchart instead")


def run(given: argparse.Namespace) -> Outcome:
    """Return the layers and the wiring, or the flowchart."""
    if given.graph:
        from compare.checkpoints.mermaid import to_mermaid

        chart = to_mermaid(checkpoint_file.read_given_graph(given))
        return Outcome(0, {"graph": chart}, lambda _: chart)
    checkpoint, wiring = checkpoint_file.open_wired(given)
    from compare.checkpoints.inspection import describe, render

    contents = describe(checkpoint) | wiring
    return Outcome(0, contents, lambda verbose: render(contents, verbose=verbose))
