"""`gatewise compare`: two whole models, and where they first part."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from compare.commands.outcome import Outcome
from compare.commands.searching import arguments

if TYPE_CHECKING:
    from compare.commands.searching.user_files import UserFiles
    from compare.models.comparison import ModelComparison
    from frameworks.errors import GatewiseError

EXAMPLE = "gatewise compare model.keras port.py:Net --weights port.pt"
STATUSES = {0: "the models' results agree, and so do their layers", 1: "results differ, or layers inside"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Compare PORT with MODEL layer by layer, and find where they first part. Either is a Keras file that holds a model, or"
        " FILE.py:NAME: a model or module of that file, or a class or function without arguments that returns one. The file is"
        " run, in a process of its own."
    )
    arguments.add_arguments(parser, "MODEL", "the expected model: a .keras or .h5 file, or FILE.py:NAME", "its port, likewise")
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        action="append",
        default=[],
        help="weights for the model of FILE.py:NAME, for PORT before MODEL: a state dict, or Keras weights; can be repeated",
    )
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw the divergence over the layers: .png, .svg, .pdf")


def run(given: argparse.Namespace) -> Outcome:
    """Return the comparison."""
    from compare.commands.searching.asking import ask

    return ask("compare", given)


def search(question: argparse.Namespace, files: UserFiles) -> Outcome:
    """Return the comparison, in the process of the search."""
    from dataclasses import fields

    from compare.commands.searching.inputs_file import read_model_call
    from compare.commands.searching.models import read_models
    from compare.models.comparing import compare_models

    inputs = read_model_call(Path(question.inputs)) if question.inputs else None
    weights = [Path(path).absolute() for path in question.weights]  # before a file that is run changes the folder
    figure = Path(question.figure).absolute() if question.figure else None
    if figure is not None:
        _require_drawable(figure)  # before a search whose result would be lost
    expected, actual = read_models(question.model, question.port, weights, files)
    compared = compare_models(expected, actual, inputs, tolerance=question.tolerance, seed=question.seed)
    results = {"model": question.model, "port": question.port, "ran": files.ran}
    results |= {field.name: getattr(compared, field.name) for field in fields(compared)}
    if figure is not None:
        _draw(compared, figure)
    lines = [f"model: {question.model}; port: {question.port}", *filter(None, [str(files)]), "", str(compared)]
    return Outcome(1 if compared.inside or not compared.passed else 0, results, lambda _: "\n".join(lines))


def _require_drawable(path: Path) -> None:
    from compare.groundwork.canvas import load_matplotlib, make_canvas

    load_matplotlib()
    figure, _ = make_canvas(1, 1, (1, 1))
    known = figure.canvas.get_supported_filetypes()
    if not path.parent.is_dir():
        raise _unwritable(path, "its folder does not exist")
    if path.is_dir():
        raise _unwritable(path, "it is a folder")
    if path.suffix[1:].lower() not in known:
        raise _unwritable(path, f"a figure is one of {', '.join(sorted(known))}")


def _draw(compared: ModelComparison, path: Path) -> None:
    try:
        compared.figure().savefig(path)
    except OSError as error:
        raise _unwritable(path, f"writing it failed with: {' '.join(str(error).split())}") from error


def _unwritable(path: Path, observation: str) -> GatewiseError:
    from frameworks.errors import InvalidValueError

    remedy = "Choose another place, or another ending, such as .png."
    return InvalidValueError.because(f"--figure {path}", must="be writable", but=observation, remedy=remedy)
