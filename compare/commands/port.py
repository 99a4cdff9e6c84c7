"""`gatewise port`: convert a checkpoint file to another format, or a whole model to source of the other framework."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compare.commands import checkpoint_file
from compare.commands.outcome import Outcome
from compare.commands.printing import tell
from compare.commands.searching import porting
from compare.commands.searching.arguments import Named, read_named

if TYPE_CHECKING:
    from compare.commands.searching.user_files import UserFiles

EXAMPLE = "gatewise port model.h5 model.py"
STATUSES = {
    0: "the file was written; OUT.py is proven, or --no-proof was given",
    1: "OUT.py was written, and the proof fails",
    3: "OUT.py was written, but has gaps, or a framework for the proof is missing",
}
_SOURCE_ONLY = ("to", "padding", "no_proof", "inputs", "imports", "weights", "seed", "tolerance")
"""The options that mean something for OUT.py only."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Write the layers of a checkpoint file to another file, whose ending chooses the format, and list what each became."
        " OUT.keras is the same model, connected, which Keras 3 opens by itself, if FILE holds a model of any version of Keras."
        " If OUT ends with .py, the whole model is written as source of the other framework, with its weights beside it, and is"
        " compared with the model layer by layer: OUT.py is run, in a process of its own, and OUT.parity.json says what was"
        " compared with what. FILE may then be FILE.py:NAME, a live Keras model."
    )
    checkpoint_file.add_arguments(parser)
    parser.add_argument("out", type=Path, metavar="OUT", help="the file to write")
    parser.add_argument("--layer", metavar="NAME", action="append", help="write only this recurrent layer; can be repeated")
    parser.add_argument("--force", action="store_true", help="replace OUT if it exists")
    source = parser.add_argument_group("for OUT.py")
    source.add_argument("--to", choices=("keras", "pytorch"), help="the framework of OUT.py; by default the other one")
    source.add_argument(
        "--padding",
        choices=("any", "end"),
        help="any, the default, is exact for every mask; end reads best, and refuses masked steps that others follow",
    )
    source.add_argument(
        "--import",
        dest="imports",
        action="store_true",
        help="import gatewise's recurrent layers instead of writing classes for those that torch lacks",
    )
    source.add_argument("--no-proof", action="store_true", help="do not compare OUT.py with the model")
    porting.add_proof_arguments(source)


def run(given: argparse.Namespace) -> Outcome:
    """Write the file, and return what became of each layer."""
    if not porting.is_source(given.out):
        return _convert(given)
    porting.require_without(given, ("layer",), "OUT.py holds the whole model", remedy="Leave it out, or name another OUT")
    porting.check(given)
    named = read_named(str(given.file))
    if named.name is not None:
        porting.require_another_file(named, given.out)
    given.written = porting.write(given, named.place, given.out.absolute()) if named.name is None else None
    if given.written is not None and given.no_proof:
        return _outcome(given.written)
    from compare.commands.searching.asking import ask

    return ask("port", given)


def search(question: argparse.Namespace, files: UserFiles) -> Outcome:
    """Return the proof of a port, in the process that runs it; a model of a Python file is written here too."""
    from compare.models.proving.parity_file import write_parity
    from frameworks.models.source import Gap

    out, port = porting.anchor(question), Named(Path(question.out), "build")
    model = porting.model_of(question, files)
    written = question.written or porting.write(question, model, out)
    if question.no_proof:
        return _outcome(written, str(files))
    gaps = tuple(Gap(**each) for each in written["gaps"])
    try:
        proof = porting.proof_of(question, model, port, gaps, files)
    except BaseException:
        tell(f"gatewise: {question.out} is written, and not proven.")
        raise
    path = write_parity(proof, out, [out.with_name(Path(each).name) for each in written["paths"]])
    written["paths"].append(str(Path(question.out).with_name(path.name)))
    return _outcome(written, f"{files}\n{proof}", proof.to_dict(), proof.status)


def _outcome(written: dict[str, Any], proof: str = "", results: Any = None, status: int | None = None) -> Outcome:
    found = (3 if written["gaps"] else 0) if status is None else status
    return Outcome(
        found, {**written, "proof": results}, lambda verbose: porting.render(written, proof.strip(), verbose=verbose)
    )


def _convert(given: argparse.Namespace) -> Outcome:
    """Write a checkpoint file."""
    porting.require_without(given, _SOURCE_ONLY, f"{given.out.name} is no source", remedy="Leave it out, or name OUT.py")
    if given.out.suffix == ".keras" and not given.layer and checkpoint_file.is_of_keras(given.file):
        return _whole_model(given)
    checkpoint = checkpoint_file.open_given(given)
    from compare.checkpoints.port_summary import render
    from frameworks.files import save_checkpoint

    chosen = {name: checkpoint[name] for name in given.layer} if given.layer else checkpoint
    written = save_checkpoint(given.out, chosen, force=given.force)
    results = {"path": given.out, "format": checkpoint.format, "written": written}
    return Outcome(0, results, lambda verbose: render(given.out, written, checkpoint, verbose=verbose))


def _whole_model(given: argparse.Namespace) -> Outcome:
    """Write the model as today's Keras opens it, also one without a recurrent layer."""
    from compare.checkpoints.port_summary import render_model

    written = checkpoint_file.save_given_model(given)
    results = {"path": given.out, "written": written}
    return Outcome(0, results, lambda verbose: render_model(given.out, given.file, written, verbose=verbose))
