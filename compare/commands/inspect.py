"""`gatewise inspect`: the layers of a checkpoint file."""

from __future__ import annotations

import argparse

from compare.commands import checkpoint_file
from compare.commands.printing import print_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = "List the layers of a checkpoint file, their counterparts in the other framework, and caveats."
    checkpoint_file.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(given: argparse.Namespace) -> int:
    """Print the layers and return 0."""
    import json

    checkpoint = checkpoint_file.open_given(given)
    from compare.checkpoints.inspection import describe, render

    contents = describe(checkpoint)
    print_text(json.dumps(contents, indent=1) if given.json else render(contents))
    return 0
