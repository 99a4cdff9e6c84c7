"""`gatewise report`: write or check the Markdown reports."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from compare.commands.outcome import Outcome
from compare.commands.printing import tell
from frameworks.errors import InvalidValueError

EXAMPLE = "gatewise report --only return-values --out my_reports"
STATUSES = {0: "all pages passed, or are up to date", 1: "a page failed, or is out of date"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = "Run the comparisons and write the reports. Needs both frameworks: pip install 'gatewise[reports]'."
    parser.add_argument(
        "--out", type=Path, default=Path("reports"), metavar="DIR", help="the folder to write to (default: reports)"
    )
    parser.add_argument("--only", metavar="PAGE", help="only this page, such as return-values")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if the reports in DIR differ from those of a new run"
    )
    parser.add_argument("--full", action="store_true", help="run the long versions too; can be interrupted and resumed")
    parser.add_argument("--force", action="store_true", help="replace files of these names that are not of an earlier report")


def run(given: argparse.Namespace) -> Outcome:
    """Write or check the reports."""
    if given.full and given.check:
        given.refuse("--check runs the short versions: leave out --full")
    try:
        return _check(given) if given.check else _write(given)
    except OSError as error:
        raise InvalidValueError.because(
            str(given.out), must="be writable", but=str(error), remedy="Choose another --out."
        ) from error


def _check(given: argparse.Namespace) -> Outcome:
    from compare.report.making import check_report

    differences = check_report(given.out, given.only, _progress(given))
    lines = [*differences, f"{given.out}: {'out of date' if differences else 'up to date'}"]
    return Outcome(1 if differences else 0, {"out": given.out, "differences": differences}, lambda _: "\n".join(lines))


def _write(given: argparse.Namespace) -> Outcome:
    from compare.report.contents import PAGES

    began = time.monotonic()
    try:
        results = _make(given)
    except KeyboardInterrupt as interrupt:
        if not given.full:
            raise
        raise KeyboardInterrupt(f"Finished steps are kept in {given.out}; run the same command to resume.") from interrupt
    passed = {page.file: page.passed(results) for page in PAGES if page.covers(results)}
    failed = [file for file, well in passed.items() if not well]
    head = f"{given.out}: written in {time.monotonic() - began:.0f} s" + (f"; FAILED: {', '.join(failed)}" if failed else "")
    lines = [f"{given.out / file}: {'passed' if well else 'FAILED'}" for file, well in passed.items()]
    pages = [{"file": file, "passed": well} for file, well in passed.items()]
    return Outcome(
        1 if failed else 0,
        {"out": given.out, "pages": pages},
        lambda verbose: "\n".join([*(lines if verbose else ()), head]),
    )


def _make(given: argparse.Namespace) -> dict[str, Any]:
    from compare.report.making import make_report

    if not given.full:
        return make_report(given.out, given.only, _progress(given), force=given.force)
    from compare.report.progress_bars import Bars

    if given.quiet:
        return make_report(given.out, given.only, _progress(given), lambda *_: None, force=given.force)
    with Bars() as bars:
        return make_report(given.out, given.only, _progress(given), bars.tell, force=given.force)


def _progress(given: argparse.Namespace) -> Callable[[str], None]:
    """Return a function that prints a line of progress, with the seconds since this call; with --quiet it prints nothing."""
    began = time.monotonic()

    def show(text: str) -> None:
        if not given.quiet:
            tell(f"{time.monotonic() - began:5.1f} s  {text}")

    return show
