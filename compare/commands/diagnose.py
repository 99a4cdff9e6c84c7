"""`gatewise diagnose`: name the mistake in a wrong port of a layer."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from compare.commands.outcome import Outcome
from compare.commands.searching import arguments

if TYPE_CHECKING:
    from compare.commands.searching.user_files import UserFiles

EXAMPLE = "gatewise diagnose model.h5 port.py:Encoder --layer lstm_1"
STATUSES = {
    0: "the port is right",
    1: "it is wrong; the mistake is named, or no known one explains it",
    3: "the results are the same, but the port is built differently",
}
_OF_VERDICT = {"right": 0, "named": 1, "not named": 1, "cannot be seen": 3}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Name the mistake in PORT, a port of the recurrent layer RIGHT, and the line that mends it. Either is a checkpoint,"
        " or FILE.py:NAME: a layer, module or model of that file, or a class or function without arguments that returns one."
        " PORT may also be a function that is called in place of the layer. The file is run, in a process of its own."
    )
    arguments.add_arguments(parser, "RIGHT", "the right layer: a checkpoint or FILE.py:NAME", "its port, likewise")
    parser.add_argument(
        "--layer",
        metavar="NAME[,NAME...][=OTHER[,OTHER...]]",
        help="the layer of RIGHT, and the layer of PORT if that is called OTHER; several are called one after the other",
    )


def run(given: argparse.Namespace) -> Outcome:
    """Return the diagnosis."""
    from compare.commands.searching.asking import ask

    return ask("diagnose", given)


def search(question: argparse.Namespace, files: UserFiles) -> Outcome:
    """Return the diagnosis, in the process of the search."""
    from dataclasses import fields

    from compare.commands.searching.inputs_file import read_layer_call
    from compare.commands.searching.layers import read_sides
    from compare.diagnosis.diagnosing import diagnose

    call = read_layer_call(Path(question.inputs)) if question.inputs else {}
    right, port = read_sides(question.right, question.port, question.layer, files)
    diagnosis = diagnose(right[0], port[0], **call, tolerance=question.tolerance, seed=question.seed)
    results = {"right": right[1], "port": port[1], "ran": files.ran}
    results |= {field.name: getattr(diagnosis, field.name) for field in fields(diagnosis)}
    lines = [f"right: {right[1]}; port: {port[1]}", *filter(None, [str(files)]), "", str(diagnosis)]
    return Outcome(_OF_VERDICT[diagnosis.verdict], results, lambda _: "\n".join(lines))
