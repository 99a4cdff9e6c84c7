"""`gatewise verify`: the recurrent layers of two checkpoint files, run side by side."""

from __future__ import annotations

import argparse
from collections.abc import Container
from pathlib import Path

from compare.commands import checkpoint_file
from compare.commands.printing import print_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Run the recurrent layers of FILE and their partners in OUT, those of the same names or those that --layer"
        " names, in NumPy, and compare weights, outputs and states. Exit status 1 where they differ."
    )
    checkpoint_file.add_arguments(parser)
    parser.add_argument("out", type=Path, metavar="OUT", help="the other file")
    parser.add_argument(
        "--layer",
        metavar="NAME[=OTHER]",
        action="append",
        help="this recurrent layer alone, called OTHER in OUT; may be given several times",
    )


def run(given: argparse.Namespace) -> int:
    """Print what is the same and what differs, and return 1 where something does."""
    checkpoint = checkpoint_file.open_given(given)
    from compare.checkpoints.verification import render, verify

    found = verify(checkpoint, given.out, dict(_pair(each, checkpoint) for each in given.layer or ()))
    print_text(render(found))
    return 0 if all(each.same for each in found) else 1


def _pair(text: str, known: Container[str]) -> tuple[str, str]:
    """Read NAME or NAME=OTHER; a name may have a sign in it."""
    name, _, other = (text, "", text) if text in known else text.rpartition("=")
    return (name, other) if name else (text, text)
