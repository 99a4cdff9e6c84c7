"""`gatewise completion`: the script with which a shell completes the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from compare.commands import COMMANDS
from compare.commands.outcome import Outcome

EXAMPLE = 'eval "$(gatewise completion bash)"'
STATUSES = {0: "done"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Print a script that completes commands, options and files. Run the command below in ~/.bashrc; zsh reads the script"
        " from a file named _gatewise in a folder of its $fpath."
    )
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"), metavar="SHELL", help="bash, zsh or tcsh")


def run(given: argparse.Namespace) -> Outcome:
    """Return the script.

    Raises:
        GatewiseError: if shtab is not installed.
    """
    from frameworks.errors import MissingFrameworkError

    try:
        import shtab
    except ImportError as error:
        raise MissingFrameworkError.of("shtab", error, extra="completion", to="write the script") from error
    whole, commands = given.make_parser(given.load(COMMANDS))
    for parser in commands.values():
        for action in parser._actions:  # noqa: SLF001  where shtab finds them too
            if action.type is Path:
                action.complete = shtab.FILE
    script = shtab.complete(whole, given.shell)
    return Outcome(0, {"script": script}, lambda _: script)
