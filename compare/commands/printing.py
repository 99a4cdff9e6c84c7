"""Printing what a command found, on any terminal and into any pipe."""

from __future__ import annotations

import os
import sys


def print_text(text: str) -> None:
    """Print text that may have characters which the output's encoding lacks.

    Raises:
        GatewiseError: if it cannot be written.
        SystemExit: with status 2, without a word, if nobody reads on, as after `head`.
    """
    from frameworks.errors import InvalidValueError

    encoding = sys.stdout.encoding or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter would try once more
        if isinstance(error, BrokenPipeError):
            raise SystemExit(2) from error
        raise InvalidValueError.because(
            "the output", must="be writable", but=f"is not: {error}", remedy="Send it elsewhere."
        ) from error
