"""`gatewise report`: write or check the Markdown reports."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = "Run the comparisons and write the reports."
    parser.add_argument(
        "--out", type=Path, default=Path("reports"), metavar="DIR", help="the folder to write to (default: reports)"
    )
    parser.add_argument("--only", metavar="PAGE", help="only this page, such as return-values")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if the reports in DIR differ from those of a new run"
    )
    parser.add_argument("--full", action="store_true", help="run the long versions too; can be interrupted and resumed")
    parser.set_defaults(refuse=parser.error)


def run(given: argparse.Namespace) -> int:
    """Write or check the reports. Return 1 if a page fails or is out of date."""
    from frameworks.errors import GatewiseError

    if given.full and given.check:
        given.refuse("--check runs the short versions: leave out --full")
    try:
        return _check(given.out, given.only) if given.check else _write(given.out, given.only, full=given.full)
    except GatewiseError as error:
        print(f"gatewise: {error}", file=sys.stderr)  # several lines if it quotes a failed process
    except OSError as error:
        print(f"gatewise: {given.out} must be writable, but {error}. Choose another --out.", file=sys.stderr)
    return 2


def _check(out: Path, only: str | None) -> int:
    from compare.report.making import check_report

    differences = check_report(out, only, _progress())
    for line in differences:
        print(line)
    print(f"{out}: {'out of date' if differences else 'up to date'}")
    return 1 if differences else 0


def _write(out: Path, only: str | None, *, full: bool) -> int:
    from compare.report.contents import PAGES

    began = time.monotonic()
    try:
        results = _make(out, only, full=full)
    except KeyboardInterrupt:
        if not full:
            raise
        print(f"gatewise: interrupted. Finished steps are kept in {out}; run the same command to resume.", file=sys.stderr)
        return 130
    failed = [page.file for page in PAGES if page.covers(results) and not page.passed(results)]
    print(f"{out}: written in {time.monotonic() - began:.0f} s" + (f"; FAILED: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


def _make(out: Path, only: str | None, *, full: bool) -> dict[str, Any]:
    from compare.report.making import make_report

    if not full:
        return make_report(out, only, _progress())
    from compare.report.progress_bars import Bars

    with Bars() as bars:
        return make_report(out, only, _progress(), bars.tell)


def _progress() -> Callable[[str], None]:
    """Return a function that prints a line of progress, with the seconds since this call."""
    began = time.monotonic()

    def show(text: str) -> None:
        print(f"{time.monotonic() - began:5.1f} s  {text}", file=sys.stderr, flush=True)

    return show
