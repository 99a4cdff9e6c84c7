"""`gatewise report`: the Markdown reports, made or checked."""

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
    parser.add_argument("--out", type=Path, default=Path("reports"), metavar="DIR", help="where to write (default: reports)")
    parser.add_argument("--only", metavar="PAGE", help="one page, such as return-values")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if the reports in DIR no longer say what a run says"
    )
    parser.add_argument("--full", action="store_true", help="run the long versions too; can be interrupted and resumed")
    parser.set_defaults(refuse=parser.error)


def run(given: argparse.Namespace) -> int:
    """Write or check the reports, and return 1 for a page that fails or is out of date."""
    from frameworks.errors import GatewiseError

    if given.full and given.check:
        given.refuse("--check runs the short versions: leave out --full")
    try:
        return _check(given.out, given.only) if given.check else _write(given.out, given.only, full=given.full)
    except GatewiseError as error:
        print(f"gatewise: {error}", file=sys.stderr)  # on several lines where it quotes a process that failed
    except OSError as error:
        print(f"gatewise: {given.out} must be writable, but {error}. Give another --out.", file=sys.stderr)
    return 2


def _check(out: Path, only: str | None) -> int:
    from compare.report.making import check_report

    found = check_report(out, only, _progress())
    for line in found:
        print(line)
    print(f"{out}: {'out of date' if found else 'says what a fresh run says'}")
    return 1 if found else 0


def _write(out: Path, only: str | None, *, full: bool) -> int:
    from compare.report.contents import PAGES

    began = time.monotonic()
    try:
        results = _make(out, only, full=full)
    except KeyboardInterrupt:
        if not full:
            raise
        print(f"gatewise: interrupted. Finished steps are kept in {out}; the same command goes on from there.", file=sys.stderr)
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
    """Return what prints a line of progress, with the seconds since now."""
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:5.1f} s  {text}", file=sys.stderr, flush=True)

    return say
