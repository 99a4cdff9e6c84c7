"""The command line: `gatewise`, which is also `python -m gatewise` and `python -m compare`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from compare.commands import COMMANDS
from frameworks import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: the command-line arguments without the program's name; by default those of this process.

    Returns:
        The exit status: 0 for success, 1 for a difference or a failed report, 2 for invalid arguments or files, 130 if
        interrupted.

    Example:
        >>> from compare.cli import main
        >>> main(["report", "--only", "no-such-page"])
        2
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    name = next((text for text in given if not text.startswith("-")), None)
    command = import_module(f"compare.commands.{name}") if name in COMMANDS else None
    parser = _parser(name, command)
    parsed = parser.parse_args(given)
    if command is None:
        parser.print_help()
        return 2
    return _run(command, parsed)


def _parser(chosen: str | None, module: Any) -> argparse.ArgumentParser:
    """Return the parser of all commands. Only the chosen command's arguments are added, so that no other module is loaded."""
    parser = argparse.ArgumentParser(
        prog="gatewise", description="Compare recurrent layers in Keras and PyTorch, and port them from one to the other."
    )
    parser.add_argument("--version", action="version", version=f"gatewise {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, line in COMMANDS.items():
        command = commands.add_parser(name, help=line)
        if name == chosen:
            module.add_arguments(command)
    return parser


def _run(command: Any, given: argparse.Namespace) -> int:
    from frameworks.errors import GatewiseError, printable

    try:
        status: int = command.run(given)
    except GatewiseError as error:
        print(f"gatewise: {printable(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("gatewise: interrupted.", file=sys.stderr)
        return 130
    return status
