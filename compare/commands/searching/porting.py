"""Whole models on the command line: reading the arguments, writing OUT.py, and running it for its proof."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compare.commands import checkpoint_file
from compare.commands.searching.arguments import Named, read_named, read_seed

if TYPE_CHECKING:
    from compare.commands.searching.user_files import UserFiles
    from compare.models.proving.proof import Proof
    from frameworks.models.source import Gap, Source

_MOST = 40
"""The most rows of the table without --verbose."""


def add_proof_arguments(parser: argparse._ActionsContainer) -> None:
    """Add the arguments of a proof."""
    parser.add_argument("--weights", type=Path, metavar="FILE", help="the weights for a .json file, or for FILE.py:NAME")
    parser.add_argument(
        "--inputs", type=Path, metavar="FILE.npz", help="the arrays to call OUT.py and its model with, instead of random ones"
    )
    parser.add_argument("--seed", type=read_seed, help="the seed of the random inputs; 0 by default")
    parser.add_argument(
        "--tolerance",
        type=float,
        help="the allowed error as a share of max(1, the largest number); by default 1e-5, for float64 1e-12",
    )


def require_without(given: argparse.Namespace, options: Sequence[str], why: str, *, remedy: str) -> None:
    """Raise an error for an option that does not fit OUT.

    Raises:
        InvalidValueError: for the first one that is given.
    """
    for name in options:
        if getattr(given, name) not in (None, False):
            from frameworks.errors import InvalidValueError

            flag = "--" + {"imports": "import"}.get(name, name).replace("_", "-")
            raise InvalidValueError.because(flag, must="fit OUT", but=f"does not: {why}", remedy=f"{remedy}.")


def require_another_file(model: Named, out: Path) -> None:
    """Raise an error if OUT.py is the very file whose object is ported, which --force would replace.

    Raises:
        InvalidValueError: for that file.
    """
    if out.exists() and model.path.exists() and out.samefile(model.path):
        from frameworks.errors import InvalidValueError

        raise InvalidValueError.because(
            str(out), must="be another file than the model's", but="is the same", remedy="Name another OUT.py."
        )


def is_source(out: Path) -> bool:
    """Return whether a file is the source of a model."""
    return out.suffix == ".py"


def anchor(question: argparse.Namespace) -> Path:
    """Make the paths of a question independent of the current folder, which a file that is run may change.

    Returns:
        The place of OUT.py.
    """
    for name in ("inputs", "weights", "architecture"):
        if getattr(question, name) is not None:
            setattr(question, name, Path(getattr(question, name)).absolute())
    return Path(question.out).absolute()


def write(given: argparse.Namespace, model: Any, out: Path) -> dict[str, Any]:
    """Write OUT.py and its arrays, and return what became of each layer, as plain data.

    Args:
        given: the arguments.
        model: the model, or its path.
        out: the place of OUT.py.
    """
    source = _source(given, model, given.to)
    paths = source.write(out, force=given.force)
    return {
        "paths": [str(Path(given.out).with_name(path.name)) for path in paths],
        "table": [dict(vars(each)) for each in source.table],
        "gaps": [dict(vars(each)) for each in source.gaps],
    }


def _source(given: argparse.Namespace, model: Any, to: str | None = None) -> Source:
    from frameworks.models.porting import to_source
    from frameworks.rows import owner_of

    arguments = _reading(given) | {"padding": getattr(given, "padding", None) or "any"}
    owner = None if isinstance(model, Path) else owner_of(model)
    if owner is not None and owner.name == "pytorch" and getattr(given, "inputs", None):
        arguments["example"] = _inputs_of(given)
    if getattr(given, "imports", False):
        arguments["imports_gatewise"] = True
    return to_source(model, to, **arguments)  # type: ignore[arg-type]


def model_of(given: argparse.Namespace, files: UserFiles) -> Any:
    """Return the model that the first argument names: a path, or an object of a Python file, which is run."""
    named = read_named(str(given.file))
    if named.name is None:
        return named.place
    model = files.load(named, is_port=False)
    if given.weights is not None:
        from compare.commands.searching.weights_file import load_weights

        load_weights(given.weights, model, named)
    return model


def check(given: argparse.Namespace) -> None:
    """Raise an error for inputs or a tolerance that no proof can use, before anything is written."""
    if given.inputs:
        _inputs_of(given)
    if given.tolerance is not None:
        from compare.groundwork.tolerance import choose_tolerance

        choose_tolerance((), given.tolerance)


def _inputs_of(given: argparse.Namespace) -> Any:
    from compare.commands.searching.inputs_file import read_model_call

    return read_model_call(Path(given.inputs))


def proof_of(given: argparse.Namespace, model: Any, named: Named, gaps: Sequence[Gap], files: UserFiles) -> Proof:
    """Run OUT.py, and return the proof of its model.

    Args:
        given: the arguments.
        model: the model, or its path.
        named: OUT.py:build.
        gaps: the gaps of its source.
        files: runs Python files.
    """
    from dataclasses import replace
    from importlib.util import find_spec

    from compare.models.proving.proving import Port, prove, unproven

    if find_spec("torch") is None:
        return unproven(str(given.file), str(given.out), "torch")
    inputs = _inputs_of(given) if given.inputs else None
    port = Port(_port_of(named, files), str(given.out), gaps)
    proof = prove(model, port, inputs, **_reading(given), tolerance=given.tolerance, seed=given.seed or 0)
    return replace(proof, model=str(given.file))


def _port_of(named: Named, files: UserFiles) -> Any:
    """Return the model of OUT.py, in inference mode."""
    from frameworks.errors import GatewiseError, InvalidValueError
    from frameworks.models.source import ENDINGS

    beside = [named.place.with_suffix(ending) for ending in ENDINGS.values()]
    try:
        return files.load(named, is_port=False)
    except GatewiseError as error:
        if named.place.is_file() and not any(path.exists() for path in beside) and isinstance(error.__cause__, OSError):
            raise InvalidValueError.because(
                str(named.path),
                must=f"have its arrays beside it in {' or '.join(path.name for path in beside)}",
                but="they are not there",
                remedy="Put that file back, or write both again: gatewise port MODEL OUT.py --force.",
            ) from error
        raise


def gaps_of(given: argparse.Namespace, model: Any) -> tuple[Gap, ...]:
    """Return the gaps of a model's source; () for a model that has none, or no source: its port was written by hand."""
    from frameworks.errors import GatewiseError
    from frameworks.models.reading import read_graph

    try:
        graph = read_graph(model, **_reading(given))
        return _source(given, model).gaps if graph.gaps else ()
    except GatewiseError:
        return ()


def _reading(given: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments that say how a model is read."""
    weights = None if given.weights is None or read_named(str(given.file)).name is not None else Path(given.weights)
    options = checkpoint_file.read_options(given.option) or None
    return {"weights": weights, "architecture": given.architecture, "options": options}


def render(written: Mapping[str, Any], proof: str, *, verbose: bool) -> str:
    """Return what was written, what became of each layer, and the proof."""
    from compare.checkpoints.terminal_tables import shown_name, table

    rows = [(shown_name(each["layer"]), each["kind"], each["here"], each["how"]) for each in written["table"]]
    shown = rows if verbose or len(rows) <= _MOST else [*rows[: _MOST // 2], _dots(rows), *rows[-_MOST // 2 :]]
    gaps = [f"left to you: {each['layer']} ({each['kind']}), in {each['method']}: {each['why']}" for each in written["gaps"]]
    parts = [f"written: {', '.join(written['paths'])}", table(("layer", "is", "here", "became"), shown), "\n".join(gaps), proof]
    return "\n\n".join(part for part in parts if part)


def _dots(rows: Sequence[tuple[str, ...]]) -> tuple[str, str, str, str]:
    return f"... {len(rows) - 2 * (_MOST // 2)} more", "", "", "--verbose shows them"
