"""The checkpoint file that `inspect`, `port` and `verify` are given, and the options that go with it."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the file and what is said of it to the arguments of a command."""
    command.add_argument("file", type=Path, metavar="FILE", help="a checkpoint: .keras, .h5, ...")
    command.add_argument(
        "--architecture", type=Path, metavar="FILE", help="the JSON of the architecture beside a file of Keras's weights"
    )
    command.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="[NAME.]OPTION=VALUE",
        help="what the file does not say, of one layer or of all; may be given several times",
    )


def open_given(given: argparse.Namespace) -> Any:
    """Open the file that the arguments name.

    Returns:
        The `frameworks.files.Checkpoint`.

    Raises:
        GatewiseError: for a file that cannot be read, and for options that make no sense.
    """
    from frameworks.files.untrusted.h5_process import started_for

    with started_for(given.file):  # which imports h5py while NumPy is imported here
        from frameworks.files import open_checkpoint

        return open_checkpoint(given.file, architecture=given.architecture, options=_options(given.option))


def _options(given: Sequence[str]) -> dict[str | None, dict[str, Any]]:
    """Read NAME.OPTION=VALUE, a name being everything up to the last dot before the sign."""
    from frameworks.errors import InvalidValueError

    options: dict[str | None, dict[str, Any]] = {}
    for text in given:
        left, sign, value = text.partition("=")
        name, _, option = left.rpartition(".")
        if not sign or not option:
            raise InvalidValueError.because(
                "--option", must="be [NAME.]OPTION=VALUE", but=f"is {text!r}", remedy="For instance lstm.activation=relu."
            )
        options.setdefault(name or None, {})[option] = _value(value)
    return options


def _value(text: str) -> Any:
    """Read True, False, None and numbers as such, anything else as text."""
    try:
        return ast.literal_eval({"true": "True", "false": "False", "none": "None"}.get(text.lower(), text))
    except (ValueError, SyntaxError):
        return text
