"""The command line: `gatewise`, which is also `python -m compare`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from compare.commands import files as cli_files


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and give its exit status: 0 done, 1 a report or a port that fails, 2 a wrong call or input."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.command is None:
        parser.print_help()
        return 2
    if given.command in cli_files.COMMANDS:
        return cli_files.run(given)
    if given.full and given.check:
        parser.error("--check runs the short versions: leave out --full")
    return _report(given.out, given.only, check=given.check, full=given.full)


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
    report.add_argument(
        "--full", action="store_true", help="run the long versions too; may be interrupted, and goes on where it was"
    )
    cli_files.add_commands(commands)
    return parser


def _report(out: Path, only: str | None, *, check: bool, full: bool) -> int:
    from compare.report.contents import PAGES
    from compare.report.making import check_report
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
        results = _make(out, only, progress, full=full)
    except KeyboardInterrupt:
        if not full:
            raise
        print(f"gatewise: interrupted. Finished steps are kept in {out}; the same command goes on from there.", file=sys.stderr)
        return 130
    except GatewiseError as error:
        print(f"gatewise: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"gatewise: {out} must be writable, but {error}. Give another --out.", file=sys.stderr)
        return 2
    failed = [page.file for page in PAGES if page.covers(results) and not page.passed(results)]
    print(f"{out}: written in {time.monotonic() - began:.0f} s" + (f"; FAILED: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


def _make(out: Path, only: str | None, progress: Callable[[str], None], *, full: bool) -> dict[str, Any]:
    from compare.report.making import make_report

    if not full:
        return make_report(out, only, progress)
    from compare.report.progress_bars import Bars

    with Bars() as bars:
        return make_report(out, only, progress, bars.tell)
