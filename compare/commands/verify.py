"""`gatewise verify`: compare the layers of two checkpoint files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from compare.commands import checkpoint_file
from compare.commands.outcome import Outcome
from compare.commands.searching.arguments import read_seed
from compare.commands.searching.choice import read_choice

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
    parser.add_argument(
        "--seed", type=read_seed, default=0, help="the seed of the random inputs and initial states; 0 by default"
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        help="the allowed error as a share of max(1, the largest number); by default 1e-5, for float64 1e-12",
    )


def run(given: argparse.Namespace) -> Outcome:
    """Return the verdict on each layer."""
    checkpoint = checkpoint_file.open_given(given)
    from compare.checkpoints.verification import verify
    from compare.checkpoints.verification_text import render

    known = {*checkpoint, *checkpoint.others}
    only: Any = dict(read_choice(each, known) for each in given.layer or ())
    verification = verify(checkpoint, given.out, only, seed=given.seed, tolerance=given.tolerance)
    return Outcome(verification.status, verification.to_dict(), lambda verbose: render(verification, verbose=verbose))
