"""Printing: results to stdout and everything else to stderr, whether these are terminals, pipes or closed."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from math import isfinite
from typing import Any, NoReturn, TextIO

from compare.commands.outcome import Outcome
from frameworks.errors import InvalidValueError


def print_outcome(command: str, version: str, outcome: Outcome, given: Namespace) -> None:
    """Print the outcome of a command in the form that its flags ask for; of an error only the JSON."""
    if given.json:
        whole = {"command": command, "version": version, "status": outcome.status, "results": outcome.results}
        _print(json.dumps(to_json(whole), indent=1))
    elif not given.quiet and outcome.render is not None:
        _print(outcome.render(given.verbose))


def _print(text: str) -> None:
    """Print text to stdout; characters that its encoding lacks are escaped."""
    try:
        print(_encodable(text, sys.stdout), flush=True)
    except OSError as error:
        end_unwritten(error)


def end_unwritten(error: OSError) -> NoReturn:
    """End the command because stdout cannot be written.

    Raises:
        SystemExit: with status 2, and without a message if the reader of a pipe is gone, as with `head`.
    """
    _silence_stdout()
    if not isinstance(error, BrokenPipeError):
        but, remedy = f"writing it failed with: {error}", "Redirect it to another place."
        tell(f"gatewise: {InvalidValueError.because('the output', must='be writable', but=but, remedy=remedy)}")
    raise SystemExit(2) from error


def _silence_stdout() -> None:
    """Make stdout lead nowhere; otherwise the interpreter would try again at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def tell(text: str) -> None:
    """Print a line to stderr: progress, a warning or an error. It is left out if it cannot be written."""
    with suppress(OSError, ValueError):
        print(_encodable(text, sys.stderr), file=sys.stderr, flush=True)


def to_json(value: Any) -> Any:
    """Convert results to the types of JSON, which has neither NaN nor infinity: both become null."""
    if is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    elif hasattr(value, "tolist"):  # of NumPy: an array or a number
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): to_json(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_json(item) for item in value]
    if isinstance(value, float):
        return value if isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def _encodable(text: str, stream: TextIO) -> str:
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
