"""`gatewise verify`: run the recurrent layers of two checkpoint files and compare the results."""

from __future__ import annotations

import argparse
from collections.abc import Container
from pathlib import Path

from compare.commands import checkpoint_file
from compare.commands.outcome import Outcome

EXAMPLE = "gatewise verify model.h5 mine.pt --layer lstm_1=encoder.rnn"
STATUSES = {0: "all are the same", 1: "any differ"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Run the recurrent layers of FILE and their partners in OUT in NumPy, and compare weights, outputs and states. Partners"
        " have the same names unless --layer names others."
    )
    checkpoint_file.add_arguments(parser)
    parser.add_argument("out", type=Path, metavar="OUT", help="the other file")
    parser.add_argument(
        "--layer",
        metavar="NAME[=OTHER]",
        action="append",
        help="compare only this recurrent layer, which OUT calls OTHER; can be repeated",
    )


def run(given: argparse.Namespace) -> Outcome:
    """Return the verdict on each layer."""
    checkpoint = checkpoint_file.open_given(given)
    from compare.checkpoints.verification import render, verify

    verdicts = verify(checkpoint, given.out, dict(_pair(each, checkpoint) for each in given.layer or ()))
    status = 0 if all(each.same for each in verdicts) else 1
    return Outcome(status, {"verdicts": verdicts}, lambda _: render(verdicts))


def _pair(text: str, known: Container[str]) -> tuple[str, str]:
    """Read NAME or NAME=OTHER; a known name may contain an equals sign."""
    name, _, other = (text, "", text) if text in known else text.rpartition("=")
    return (name, other) if name else (text, text)
