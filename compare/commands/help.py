"""`gatewise help`: the help of a command, or of all."""

from __future__ import annotations

import argparse

from compare.commands import COMMANDS
from compare.commands.outcome import Outcome

EXAMPLE = "gatewise help port"
STATUSES = {0: "done"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = "Show the help of a command, or the list of commands."
    parser.add_argument("command", nargs="?", choices=tuple(COMMANDS), metavar="COMMAND", help=f"one of {', '.join(COMMANDS)}")


def run(given: argparse.Namespace) -> Outcome:
    """Return the help."""
    whole, commands = given.make_parser(given.load([given.command] if given.command else []))
    text = (commands[given.command] if given.command else whole).format_help().rstrip()
    return Outcome(0, {"help": text}, lambda _: text)
