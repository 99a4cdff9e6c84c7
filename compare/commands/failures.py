"""Errors and warnings of a command: one line each on stderr, and no traceback without `--debug`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from traceback import extract_tb, format_exception

import compare
import frameworks
from compare.commands.outcome import Outcome
from compare.commands.printing import tell
from frameworks.errors import GatewiseError
from frameworks.escaping import printable

_OURS = tuple(f"{Path(file).parent}{os.sep}" for file in (compare.__file__, frameworks.__file__))


def tell_failure(command: str, error: Exception, *, debug: bool) -> Outcome:
    """Print an error in one line, with its traceback above it if asked for, and return it as an outcome."""
    lines, outcome = describe_failure(command, error, debug=debug)
    for line in lines:
        tell(line)
    return outcome


def describe_failure(command: str, error: Exception, *, debug: bool) -> tuple[list[str], Outcome]:
    """Return an error as lines, the last one its message, and as an outcome; with its traceback if asked for."""
    message = str(error)
    if not isinstance(error, GatewiseError):
        said = ": ".join(filter(None, (type(error).__name__, " ".join(message.split()).removesuffix("."))))
        message = (
            f"gatewise {command} must end with a result, but {_place_of(error)} raised {said}."
            " Report it with the traceback that --debug shows."
        )
    trace = _lines((*format_exception(error), getattr(error, "printed", ""))) if debug else []
    lines = [*map(printable, trace), f"gatewise: {printable(message)}"]
    return lines, Outcome(2, {"error": type(error).__name__, "message": message})


def is_ours(file: str) -> bool:
    """Return whether a file is gatewise's."""
    return file.startswith(_OURS)


def show_warnings(*, quiet: bool) -> None:
    """Print each warning in one line from now on, or none; those that other packages give are left out."""

    def show(message: Warning | str, _category: type[Warning], file: str, *_: object) -> None:
        if not quiet and is_ours(file):
            tell(f"gatewise: warning: {printable(str(message))}")

    warnings.showwarning = show  # type: ignore[assignment]  # its arguments are passed by position


def _place_of(error: BaseException) -> str:
    """Return the file and the line of the last call in gatewise that an error passed through."""
    calls = [call for call in extract_tb(error.__traceback__) if is_ours(call.filename)]
    return f"{calls[-1].filename}, line {calls[-1].lineno}"


def _lines(texts: Iterable[str]) -> list[str]:
    return "".join(texts).splitlines()
