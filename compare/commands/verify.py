"""`gatewise verify`: compare the layers of two checkpoint files."""

from __future__ import annotations

import argparse
from collections.abc import Container
from pathlib import Path
from typing import Any

from compare.commands import checkpoint_file
from compare.commands.outcome import Outcome

EXAMPLE = "gatewise verify model.h5 mine.pt --layer lstm_1=encoder.rnn"
STATUSES = {
    0: "all are the same",
    1: "any differ",
    3: "no difference found, but a layer of both files could not be compared",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Compare the layers of FILE and OUT: recurrent layers by running both in NumPy, all others by their arrays and options."
        " Layers are paired by name, by equal weights, or by sizes that leave no other choice, unless --layer pairs them."
    )
    checkpoint_file.add_arguments(parser)
    parser.add_argument("out", type=Path, metavar="OUT", help="the other file")
    parser.add_argument(
        "--layer",
        metavar="NAME[,NAME...][=OTHER[,OTHER...]]",
        action="append",
        help="compare only this layer, which OUT calls OTHER; several are called one after the other; can be repeated",
    )
    parser.add_argument("--seed", type=_seed, default=0, help="the seed of the random inputs and initial states; 0 by default")
    parser.add_argument(
        "--tolerance",
        type=float,
        help="the allowed error as a share of max(1, the largest number); by default 1e-5, for float64 1e-12",
    )


def _seed(text: str) -> int:
    """Read a seed."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 on, but is {text!r}")
    return int(text)


def run(given: argparse.Namespace) -> Outcome:
    """Return the verdict on each layer."""
    checkpoint = checkpoint_file.open_given(given)
    from compare.checkpoints.verification import verify
    from compare.checkpoints.verification_text import render

    known = {*checkpoint, *checkpoint.others}
    only: Any = dict(read_choice(each, known) for each in given.layer or ())
    verification = verify(checkpoint, given.out, only, seed=given.seed, tolerance=given.tolerance)
    return Outcome(verification.status, verification.to_dict(), lambda verbose: render(verification, verbose=verbose))


def read_choice(text: str, known: Container[str]) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """Read NAME or NAME=OTHER, each side one name or several with commas; a known name may contain these characters."""
    if text in known:
        return (text,), None
    name, _, other = text.rpartition("=")
    if not name:
        return _names(text, known), None
    return _names(name, known), tuple(other.split(","))


def _names(text: str, known: Container[str]) -> tuple[str, ...]:
    return (text,) if text in known else tuple(text.split(","))
