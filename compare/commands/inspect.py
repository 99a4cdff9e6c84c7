"""`gatewise inspect`: the layers of a checkpoint file."""

from __future__ import annotations

import argparse

from compare.commands import checkpoint_file
from compare.commands.printing import print_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = "List the layers of a checkpoint file, what they are in the other framework, and what to beware of."
    checkpoint_file.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="for programs")


def run(given: argparse.Namespace) -> int:
    """Print the layers and return 0."""
    import json

    checkpoint = checkpoint_file.open_given(given)
    from compare.checkpoints.inspection import describe, render

    found = describe(checkpoint)
    print_text(json.dumps(found, indent=1) if given.json else render(found))
    return 0
