"""The arguments of `inspect`, `port` and `verify` for a checkpoint file and its options."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments for the file, its architecture and its options to a command."""
    command.add_argument("file", type=Path, metavar="FILE", help="a checkpoint: .keras, .h5, ...")
    command.add_argument(
        "--architecture", type=Path, metavar="FILE", help="the JSON of the architecture for a file of Keras weights"
    )
    command.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="[NAME.]OPTION=VALUE",
        help="an option that the file does not state, for one layer or for all; can be repeated",
    )


def open_given(given: argparse.Namespace) -> Any:
    """Open the file that the arguments name.

    Returns:
        The `frameworks.files.Checkpoint`.

    Raises:
        GatewiseError: for a file that cannot be read, and for invalid options.
    """
    from frameworks.files.untrusted.h5_process import started_for

    with started_for(given.file):  # imports h5py in its process while this one imports NumPy
        from frameworks.files import open_checkpoint

        return open_checkpoint(given.file, architecture=given.architecture, options=read_options(given.option))


def is_of_keras(path: Path) -> bool:
    """Return whether a file is of a format that can hold a Keras model."""
    from frameworks.files.untrusted.h5_process import started_for

    with started_for(path):
        from frameworks.files.formats import find_format
        from frameworks.files.untrusted.folders import open_path

        return find_format(open_path(path)).takes_architecture


def save_given_model(given: argparse.Namespace) -> Any:
    """Write the whole model of the file that the arguments name to a .keras file.

    Returns:
        What became of each layer, a list of `frameworks.files.Written`.

    Raises:
        GatewiseError: for a file without an architecture, and for what Keras 3 cannot have.
    """
    from frameworks.errors import MissingFrameworkError
    from frameworks.registry import quiet_stderr

    try:
        with quiet_stderr():
            from frameworks.models.keras.saving import read_whole, save_model
    except ImportError as error:
        raise MissingFrameworkError.of("Keras", error, extra="files,tensorflow", to="write a .keras file") from error
    graph = read_whole(given.file, architecture=given.architecture, options=read_options(given.option))
    return save_model(given.out, graph, force=given.force)


def read_given_graph(given: argparse.Namespace) -> Any:
    """Return the graph of the model in the file that the arguments name.

    Raises:
        GatewiseError: for a file without an architecture, and for an architecture that cannot be wired.
    """
    from frameworks.models.reading import read_graph

    return read_graph(given.file, architecture=given.architecture, options=read_options(given.option))


def open_wired(given: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """Open the file that the arguments name, also a whole model without a recurrent layer.

    Returns:
        The `frameworks.files.Checkpoint`, and the wiring of its model as data: under "wiring", or the reason why there is none
        under "unwired", or nothing for a file without an architecture.

    Raises:
        GatewiseError: for a file that cannot be read, and for invalid options.
    """
    from frameworks.files.untrusted.h5_process import started_for

    with started_for(given.file):
        from frameworks.errors import GatewiseError
        from frameworks.files.checkpoint import open_described

        checkpoint, found = open_described(given.file, given.architecture, read_options(given.option))
    if found is None:
        return checkpoint, {}
    from compare.checkpoints.wiring import describe_wiring
    from frameworks.models.reading.reading import graph_of

    try:
        return checkpoint, {"wiring": describe_wiring(graph_of(found, [layer for _, layer in checkpoint.in_order]))}
    except GatewiseError as error:
        return checkpoint, {"unwired": str(error)}


def read_options(given: Sequence[str]) -> dict[str | None, dict[str, Any]]:
    """Read [NAME.]OPTION=VALUE. The name is everything up to the last dot before the equals sign; it may be empty."""
    from frameworks.errors import InvalidValueError

    options: dict[str | None, dict[str, Any]] = {}
    for text in given:
        left, equals, value = text.partition("=")
        name, dot, option = left.rpartition(".")
        if not equals or not option:
            raise InvalidValueError.because(
                "--option", must="be [NAME.]OPTION=VALUE", but=f"is {text!r}", remedy="An example is lstm.activation=relu."
            )
        options.setdefault(name if dot else None, {})[option] = _value(value)
    return options


def _value(text: str) -> Any:
    """Read True, False, None and Python literals such as numbers; return anything else as text."""
    try:
        return ast.literal_eval({"true": "True", "false": "False", "none": "None"}.get(text.lower(), text))
    except (ValueError, SyntaxError):
        return text
