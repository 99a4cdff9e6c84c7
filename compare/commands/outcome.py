"""The outcome of a command, which the command line prints in the form that its flags ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Outcome(NamedTuple):
    """The outcome of a command.

    Args:
        status: the exit status.
        results: what `--json` prints, under the names of the Python attributes; dataclasses, paths and NumPy numbers are
            converted.
        render: a function that returns the text, given whether `--verbose` asks for all details; None if there is no text.
    """

    status: int
    results: Mapping[str, Any]
    render: Callable[[bool], str] | None = None
