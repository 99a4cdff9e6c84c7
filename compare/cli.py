"""The command line: `gatewise`, which is also `python -m gatewise` and `python -m compare`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module

from compare.commands import COMMANDS, FLAGS, INTERRUPTED, STATUSES
from frameworks import __version__
from frameworks.lazy_imports import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, NoReturn

    from compare.commands.outcome import Outcome


class _WrongCallError(SystemExit):
    """The end of a wrong call, which has been told on stderr."""

    def __init__(self, message: str) -> None:
        super().__init__(2)
        self.message = message


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line below the usage: an argument may be the name of somebody's file."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the error, and exit with status 2."""
        from compare.commands.printing import tell
        from frameworks.escaping import printable

        message = printable(message)
        tell(f"{self.format_usage()}{self.prog}: error: {message}")
        raise _WrongCallError(message)

    def refuse_no_command(self, *, with_help: bool) -> NoReturn:
        """Print the help, which contains the usage, and exit with status 2."""
        from compare.commands.printing import tell

        message = "a command is required: `gatewise help` lists them"
        tell(f"{self.format_help() if with_help else ''}{self.prog}: error: {message}")
        raise _WrongCallError(message)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: the command-line arguments without the program's name; by default those of this process.

    Returns:
        The exit status: 0 if all agrees or is done, 1 for a difference or a failed report, 2 for invalid arguments or files
        and other errors, 3 if nothing differs but something could not be compared, 130 if interrupted.

    Example:
        >>> from compare.cli import main
        >>> main(["report", "--only", "no-such-page"])
        2
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(given)
    except _WrongCallError as wrong:
        _print_wrong_call(given, wrong.message)
        raise
    except KeyboardInterrupt as interrupt:
        from compare.commands.printing import tell

        tell(f"gatewise: interrupted. {interrupt}".rstrip())
        return INTERRUPTED
    finally:
        _flush()


def make_parser(modules: Mapping[str, Any]) -> tuple[_Parser, dict[str, argparse.ArgumentParser]]:
    """Return the parser of the command line and those of its commands.

    Args:
        modules: the modules of the commands whose arguments are added; the other commands are only listed, so that no other
            module is loaded.
    """
    parser = _Parser(
        prog="gatewise",
        description="Compare recurrent layers in Keras and PyTorch, and port them to the other.",
        epilog="gatewise help COMMAND shows an example of a command and its exit statuses.\n\n"
        f"{_listed(STATUSES)}\n\nResults go to stdout, and anything else to stderr. Nothing is coloured.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.color = False  # type: ignore[attr-defined]  # what Python 3.14 would colour
    parser.add_argument("--version", action="version", version=f"gatewise {__version__}")
    _add_flags(parser, default=False)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    parsers: dict[str, argparse.ArgumentParser] = {}
    for name, line in COMMANDS.items():
        parsers[name] = commands.add_parser(name, help=line, formatter_class=argparse.RawDescriptionHelpFormatter)
        parsers[name].color = False  # type: ignore[attr-defined]
        if name in modules:
            _describe(parsers[name], modules[name])
    return parser, parsers


def load(names: Iterable[str]) -> dict[str, Any]:
    """Import the modules of some commands."""
    return {name: import_module(f"compare.commands.{name}") for name in names}


def _describe(parser: argparse.ArgumentParser, module: Any) -> None:
    from textwrap import fill

    module.add_arguments(parser)
    _add_flags(parser, default=argparse.SUPPRESS)
    parser.set_defaults(refuse=parser.error, load=load, make_parser=make_parser)
    parser.description = fill(parser.description or "", 79)
    own = {status: STATUSES[status] for status in (2, INTERRUPTED)} | module.STATUSES
    parser.epilog = f"example:\n  {module.EXAMPLE}\n\n{_listed(dict(sorted(own.items())))}"


def _add_flags(parser: argparse.ArgumentParser, default: object) -> None:
    """Add the flags of every command, which may also stand before its name."""
    group = parser.add_argument_group("output")
    one = group.add_mutually_exclusive_group()
    for name, line in FLAGS.items():
        place = one if name in ("--quiet", "--verbose") else group
        place.add_argument(name, action="store_true", default=default, help=line)


def _listed(statuses: Mapping[int, str]) -> str:
    return "\n".join(["exit status:", *(f"  {status:<3}  {line}" for status, line in statuses.items())])


def _run(arguments: list[str]) -> int:
    name = _command_of(arguments)
    modules = load([name] if name else [])
    parser, _ = make_parser(modules)
    given = parser.parse_args(arguments)
    if not name:
        parser.refuse_no_command(with_help=not (given.quiet or given.json))
    from compare.commands.printing import print_outcome

    outcome = _outcome_of(name, modules[name], given)
    print_outcome(name, __version__, outcome, given)
    return outcome.status


def _command_of(arguments: Sequence[str]) -> str:
    """Return the name of the command in a call, or "" if there is none."""
    first = next((text for text in arguments if not text.startswith("-")), "")
    return first if first in COMMANDS else ""


def _print_wrong_call(arguments: Sequence[str], message: str) -> None:
    """Print the JSON of a wrong call if it asks for JSON, in full or abbreviated."""
    if not any(text.startswith("--j") and "--json".startswith(text) for text in arguments):
        return
    from compare.commands.outcome import Outcome
    from compare.commands.printing import print_outcome

    outcome = Outcome(2, {"error": "WrongCallError", "message": message})
    print_outcome(_command_of(arguments), __version__, outcome, argparse.Namespace(json=True))


def _outcome_of(name: str, command: Any, given: argparse.Namespace) -> Outcome:
    """Run a command. Whatever a library prints meanwhile goes to stderr, and an error is told in one line."""
    import warnings
    from contextlib import redirect_stdout

    from compare.commands import failures, starting

    if not given.debug:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with warnings.catch_warnings(), redirect_stdout(sys.stderr):
        failures.show_warnings(quiet=given.quiet)
        try:
            outcome: Outcome = command.run(given)
        except Exception as error:  # the last place where one can be told in one line
            if starting.was_interrupted():
                raise KeyboardInterrupt from error
            return failures.tell_failure(name, error, debug=given.debug)
        return outcome


def _flush() -> None:
    """Write what argparse has printed."""
    try:
        sys.stdout.flush()
    except OSError as error:
        from compare.commands.printing import end_unwritten

        end_unwritten(error)
