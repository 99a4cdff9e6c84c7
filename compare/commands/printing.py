"""Printing the result of a command to any terminal or pipe."""

from __future__ import annotations

import os
import sys


def print_text(text: str) -> None:
    """Print text; characters that the encoding of the output lacks are escaped.

    Raises:
        GatewiseError: if it cannot be written.
        SystemExit: with status 2 and no message if the reader of a pipe is gone, as with `head`.
    """
    from frameworks.errors import InvalidValueError

    encoding = sys.stdout.encoding or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # otherwise the interpreter would write again at exit
        if isinstance(error, BrokenPipeError):
            raise SystemExit(2) from error
        raise InvalidValueError.because(
            "the output", must="be writable", but=f"writing it failed with: {error}", remedy="Redirect it to another place."
        ) from error
