"""The commands on checkpoint files: `gatewise inspect`, `gatewise port`, `gatewise verify`."""

from __future__ import annotations

import argparse
import ast
import os
import sys
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any

COMMANDS = ("inspect", "port", "verify")


def add_commands(commands: Any) -> None:
    """Add the commands to the subparsers of `gatewise`."""
    inspect = commands.add_parser(
        "inspect",
        help="list the layers of a checkpoint file",
        description="List the layers of a checkpoint file, what they are in the other framework, and what to beware of.",
    )
    inspect.add_argument("--json", action="store_true", help="for programs")
    port = commands.add_parser(
        "port",
        help="convert a checkpoint file to another format",
        description="Write the layers of a checkpoint file to another, in the format of its ending; say what became of each.",
    )
    verify = commands.add_parser(
        "verify",
        help="run the recurrent layers of two checkpoint files and compare",
        description="Run the recurrent layers of FILE and their partners in OUT, those of the same names or those that --layer"
        " names, in NumPy, and compare weights, outputs and states. Exit status 1 where they differ.",
    )
    for command in (inspect, port, verify):
        _add_file(command)
    for command, name, what in (
        (port, "NAME", "this recurrent layer alone"),
        (verify, "NAME[=OTHER]", "this recurrent layer alone, called OTHER in OUT"),
    ):
        command.add_argument("out", type=Path, metavar="OUT", help="the other file")
        command.add_argument("--layer", metavar=name, action="append", help=f"{what}; may be given several times")
    port.add_argument("--force", action="store_true", help="replace OUT if it is there")


def _add_file(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", type=Path, metavar="FILE", help="a checkpoint: .keras, .h5, ...")
    command.add_argument(
        "--architecture", type=Path, metavar="FILE", help="the JSON of the architecture beside a file of Keras's weights"
    )
    command.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="[NAME.]OPTION=VALUE",
        help="what the file does not say, of one layer or of all; may be given several times",
    )


def run(given: argparse.Namespace) -> int:
    """Run one of the commands and give its exit status."""
    from frameworks.errors import GatewiseError, printable

    try:
        return {"inspect": _inspect, "port": _port, "verify": _verify}[given.command](given)
    except GatewiseError as error:
        print(f"gatewise: {printable(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("gatewise: interrupted.", file=sys.stderr)
        return 130


def _print(text: str) -> None:
    """Print text that may have characters which the output's encoding lacks.

    Raises:
        GatewiseError: where it cannot be written, without a word where nobody reads on, as `head` does.
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


def _inspect(given: argparse.Namespace) -> int:
    import json

    checkpoint = _open(given)
    from compare.checkpoints.inspection import describe, render

    found = describe(checkpoint)
    _print(json.dumps(found, indent=1) if given.json else render(found))
    return 0


def _port(given: argparse.Namespace) -> int:
    checkpoint = _open(given)
    from compare.checkpoints.port_summary import render
    from frameworks.files import save_checkpoint

    chosen = {name: checkpoint[name] for name in given.layer} if given.layer else checkpoint
    _print(render(given.out, save_checkpoint(given.out, chosen, force=given.force), checkpoint))
    return 0


def _verify(given: argparse.Namespace) -> int:
    checkpoint = _open(given)
    from compare.checkpoints.verification import render, verify

    found = verify(checkpoint, given.out, dict(_pair(each, checkpoint) for each in given.layer or ()))
    _print(render(found))
    return 0 if all(each.same for each in found) else 1


def _pair(text: str, known: Container[str]) -> tuple[str, str]:
    """Read NAME or NAME=OTHER; a name may have a sign in it."""
    name, _, other = (text, "", text) if text in known else text.rpartition("=")
    return (name, other) if name else (text, text)


def _open(given: argparse.Namespace) -> Any:
    from frameworks.files.untrusted.h5_process import started_for

    with started_for(given.file):  # which imports h5py while NumPy is imported here
        from frameworks.files import open_checkpoint

        return open_checkpoint(given.file, architecture=given.architecture, options=_options(given.option))


def _options(given: Sequence[str]) -> dict[str | None, dict[str, Any]]:
    """Read NAME.OPTION=VALUE, a name being everything up to the last dot before the sign."""
    from frameworks.errors import InvalidValueError

    options: dict[str | None, dict[str, Any]] = {}
    for text in given:
        left, sign, value = text.partition("=")
        name, _, option = left.rpartition(".")
        if not sign or not option:
            raise InvalidValueError.because(
                "--option", must="be [NAME.]OPTION=VALUE", but=f"is {text!r}", remedy="For instance lstm.activation=relu."
            )
        options.setdefault(name or None, {})[option] = _value(value)
    return options


def _value(text: str) -> Any:
    """Read True, False, None and numbers as such, anything else as text."""
    try:
        return ast.literal_eval({"true": "True", "false": "False", "none": "None"}.get(text.lower(), text))
    except (ValueError, SyntaxError):
        return text
