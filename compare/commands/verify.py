"""`gatewise verify`: compare the layers of two checkpoint files, or a model with its port as source."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compare.commands import checkpoint_file
from compare.commands.outcome import Outcome
from compare.commands.searching import porting
from compare.commands.searching.arguments import Named
from compare.commands.searching.choice import read_choice

if TYPE_CHECKING:
    from compare.commands.searching.user_files import UserFiles

EXAMPLE = "gatewise verify model.h5 mine.pt --layer lstm_1=encoder.rnn"
STATUSES = {
    0: "all are the same",
    1: "any differ",
    3: "no difference found, but something could not be compared",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Compare the layers of FILE and OUT: recurrent layers by running both in NumPy, all others by their arrays and options."
        " Layers are paired by name, by equal weights, or by sizes that leave no other choice, unless --layer pairs them."
        " If OUT ends with .py, its model is compared with that of FILE as after `gatewise port`: OUT.py is run, in a process"
        " of its own. FILE may then be FILE.py:NAME, a live Keras model."
    )
    checkpoint_file.add_arguments(parser)
    parser.add_argument("out", type=Path, metavar="OUT", help="the other file")
    parser.add_argument(
        "--layer",
        metavar="NAME[,NAME...][=OTHER[,OTHER...]]",
        action="append",
        help="compare only this layer, which OUT calls OTHER; several are called one after the other; can be repeated",
    )
    porting.add_proof_arguments(parser)


def run(given: argparse.Namespace) -> Outcome:
    """Return the verdict on each layer, or the proof of a port."""
    if porting.is_source(given.out):
        porting.require_without(given, ("layer",), "OUT.py is compared whole", remedy="Leave it out")
        porting.check(given)
        from compare.commands.searching.asking import ask

        return ask("verify", given)
    porting.require_without(
        given, ("inputs", "weights"), f"{given.out.name} is no source", remedy="Leave it out, or name OUT.py"
    )
    checkpoint = checkpoint_file.open_given(given)
    from compare.checkpoints.verification import verify
    from compare.checkpoints.verification_text import render

    known = {*checkpoint, *checkpoint.others}
    only: Any = dict(read_choice(each, known) for each in given.layer or ())
    verification = verify(checkpoint, given.out, only, seed=given.seed or 0, tolerance=given.tolerance)
    return Outcome(verification.status, verification.to_dict(), lambda verbose: render(verification, verbose=verbose))


def search(question: argparse.Namespace, files: UserFiles) -> Outcome:
    """Return the proof of a port, in the process that runs it."""
    porting.anchor(question)
    port = Named(Path(question.out), "build")
    model = porting.model_of(question, files)
    proof = porting.proof_of(question, model, port, porting.gaps_of(question, model), files)
    return Outcome(proof.status, proof.to_dict(), lambda _: f"{files}\n{proof}")
