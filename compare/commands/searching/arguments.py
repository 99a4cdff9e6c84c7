"""The arguments of `diagnose` and `compare`: files, or objects of a Python file."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass, field
from pathlib import Path

_CODE = re.compile(r"(.*\.py)(?::([^:/\\]*))?", re.DOTALL)


@dataclass(frozen=True)
class Named:
    """What an argument names.

    Args:
        path: the file.
        name: the object of a Python file; "" if none is named, None for a file that is not Python.
        place: the path from the root: a file that is run may change the current folder.
    """

    path: Path
    name: str | None = None
    place: Path = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "place", self.path.absolute())

    def __str__(self) -> str:
        """Return the argument as it was given."""
        return f"{self.path}:{self.name}" if self.name else str(self.path)


def read_named(text: str) -> Named:
    """Read FILE or FILE.py:NAME; a path may contain colons."""
    code = _CODE.fullmatch(text)
    if code is None or (code[2] is not None and Path(text).is_file()):
        return Named(Path(text))
    return Named(Path(code[1]), code[2] or "")


def add_arguments(command: argparse.ArgumentParser, first: str, first_help: str, port_help: str) -> None:
    """Add the two sides of a comparison, its inputs, its seed and its tolerance to a command."""
    command.add_argument(first.lower(), type=Path, metavar=first, help=first_help)
    command.add_argument("port", type=Path, metavar="PORT", help=port_help)
    command.add_argument("--inputs", type=Path, metavar="FILE.npz", help="the arrays to call both with, instead of random ones")
    command.add_argument("--seed", type=read_seed, default=0, help="the seed of the random inputs; 0 by default")
    command.add_argument(
        "--tolerance",
        type=float,
        help="the allowed error as a share of max(1, the largest number); by default 1e-5, for float64 1e-12",
    )


def read_seed(text: str) -> int:
    """Read a seed.

    Raises:
        argparse.ArgumentTypeError: for anything but a whole number from 0 on.
    """
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 on, but is {text!r}")
    return int(text)
