"""The command line: `gatewise`, which is also `python -m compare`."""

from __future__ import annotations

import argparse
import ast
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and give its exit status: 0 done, 1 a report that fails or is out of date, 2 a wrong call or input."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.command is None:
        parser.print_help()
        return 2
    if given.command == "inspect":
        return _inspect(given)
    return _report(given.out, given.only, check=given.check)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gatewise", description="Find out what is the same between recurrent layers in Keras and PyTorch, and what is not."
    )
    commands = parser.add_subparsers(dest="command", title="commands")
    report = commands.add_parser(
        "report",
        help="run the comparisons and write the Markdown reports",
        description="Run the comparisons and write the reports.",
    )
    report.add_argument("--out", type=Path, default=Path("reports"), metavar="DIR", help="where to write (default: reports)")
    report.add_argument("--only", metavar="PAGE", help="one page, such as return-values")
    report.add_argument(
        "--check", action="store_true", help="write nothing; fail if the reports in DIR no longer say what a run says"
    )
    inspect = commands.add_parser(
        "inspect",
        help="list the layers of a checkpoint file",
        description="List the layers of a checkpoint file, what they are in the other framework, and what to beware of.",
    )
    inspect.add_argument(
        "file", type=Path, metavar="FILE", help="a checkpoint: .keras, .h5, .pt, .safetensors, .onnx, .npz, ..."
    )
    inspect.add_argument("--json", action="store_true", help="for programs")
    inspect.add_argument(
        "--architecture", type=Path, metavar="FILE", help="the JSON of the architecture beside a file of weights"
    )
    inspect.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="[NAME.]OPTION=VALUE",
        help="what the file does not say, of one layer or of all; may be given several times",
    )
    return parser


def _inspect(given: argparse.Namespace) -> int:
    import json

    from compare.inspection import describe, render
    from frameworks.errors import GatewiseError
    from frameworks.files import open_checkpoint

    try:
        found = describe(open_checkpoint(given.file, architecture=given.architecture, options=_options(given.option)))
    except GatewiseError as error:
        print(f"gatewise: {error}", file=sys.stderr)
        return 2
    print(json.dumps(found, indent=1) if given.json else render(found))
    return 0


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


def _report(out: Path, only: str | None, *, check: bool) -> int:
    from compare.pages import PAGES
    from compare.report import check_report, make_report
    from frameworks.errors import GatewiseError

    began = time.monotonic()

    def progress(text: str) -> None:
        print(f"{time.monotonic() - began:5.1f} s  {text}", file=sys.stderr, flush=True)

    try:
        if check:
            found = check_report(out, only, progress)
            for line in found:
                print(line)
            print(f"{out}: {'out of date' if found else 'says what a fresh run says'}")
            return 1 if found else 0
        results = make_report(out, only, progress)
    except GatewiseError as error:
        print(f"gatewise: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"gatewise: {out} must be writable, but {error}. Give another --out.", file=sys.stderr)
        return 2
    failed = [page.file for page in PAGES if page.covers(results) and not page.passed(results)]
    print(f"{out}: written in {time.monotonic() - began:.0f} s" + (f"; FAILED: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0
