"""Making the reports: run the experiments in separate processes, merge their results, render and write the pages."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any

from compare.groundwork.canvas import load_matplotlib
from compare.report.contents import INDEX, PAGES, Index, Page
from compare.report.environment import read_environment
from compare.report.lanes import Job, share
from compare.report.long_parts import PARTS
from compare.report.long_runs import StepProgress, forget_parts, run_parts
from compare.report.processes import Processes
from compare.report.results import RESULTS, Results, Value, disagreements, environment, read_results, write_results
from compare.report.studies.data import require_data
from compare.report.target import is_report, read_committed, require_packages, require_writable
from frameworks.errors import InvalidValueError

__all__ = ["RESULTS", "check_report", "make_report"]

Progress = Callable[[str], None]
LONG = "long"
"""The key of the long runs in the results. With a dot in front, the folder of their unfinished work."""


def make_report(
    out: Path, only: str | None, progress: Progress, step_progress: StepProgress | None = None, *, force: bool = False
) -> dict[str, Any]:
    """Run the experiments, and write results, pages and figures.

    Args:
        out: the folder of the reports, created if it is missing.
        only: the name of one page: only its experiments are run, and the other pages' results are kept.
        progress: a function called with a line of text whenever something starts.
        step_progress: a function called with the steps of the long runs; None makes no long run and keeps earlier results.
        force: whether files that are not of an earlier report may be replaced.

    Returns:
        All results, including earlier ones that were kept.

    Raises:
        GatewiseError: before anything is run, if the page is unknown, a package is missing, or the folder cannot be written to
            or holds other files of these names; if an experiment fails. Nothing is written then.
    """
    pages = _choose(only)
    require_writable(out, _files_of(pages), force=force)
    kept = read_results(out / RESULTS) if is_report(out) else {}
    before = kept.pop(LONG, {})
    long = {name: part for name, part in before.items() if name in PARTS} if isinstance(before, dict) else {}
    fresh = _run(pages, progress)
    if only is None:
        kept = {}
    _require_same_versions(kept, fresh)
    parts = {name: part for name, part in PARTS.items() if any(name in page.long for page in pages)} if step_progress else {}
    if step_progress and parts:
        long |= run_parts(parts, out / f".{LONG}", step_progress)
    ordered = {name: long[name] for name in PARTS if name in long}
    results: dict[str, Any] = {**kept, **fresh, **({LONG: ordered} if ordered else {})}
    progress("writing pages and figures")
    _write(out, results, pages)
    if parts:
        forget_parts(parts, out / f".{LONG}")
    return results


def check_report(out: Path, only: str | None, progress: Progress) -> list[str]:
    """Compare the committed report with a fresh run, and write nothing.

    Args:
        out: the folder with the committed report.
        only: the name of one page, or None for all.
        progress: a function called with a line of text whenever something starts.

    Returns:
        A sentence for each disagreement: a page that differs from its rendered results, a missing figure, a value that a
        fresh run does not reproduce.

    Raises:
        GatewiseError: if the page is unknown, the results cannot be read, or an experiment fails.
    """
    pages = _choose(only)
    committed = read_committed(out)
    stale = list(_stale_pages(out, committed, (*pages, INDEX) if only is None else pages))
    fresh = _run(pages, progress)
    names = [name for name in fresh if name != "environment"]
    return stale + sorted(
        disagreements({name: committed.get(name, {}) for name in names}, {name: fresh[name] for name in names})
    )


def _require_same_versions(kept: Mapping[str, Any], fresh: Mapping[str, Any]) -> None:
    """Require results of one environment."""
    before, now = kept.get("environment", fresh["environment"]), fresh["environment"]
    changed = [name for name in before.keys() | now.keys() if before.get(name) != now.get(name)]
    if changed:
        raise InvalidValueError.because(
            "the other pages' results",
            must="have been made in this environment",
            but=f"differ in {', '.join(sorted(changed))}",
            remedy="Run all pages: leave out --only, or write to another --out.",
        )


def _choose(only: str | None) -> Sequence[Page]:
    if only is None:
        return PAGES
    chosen = [page for page in PAGES if only in (page.name, page.file)]
    if not chosen:
        known = ", ".join(page.name for page in PAGES)
        raise InvalidValueError.because("the page", must=f"be one of {known}", but=f"is {only!r}", remedy="Choose one of them.")
    return chosen


def _run(pages: Sequence[Page], progress: Progress) -> dict[str, Any]:
    """Run the experiments of some pages, two processes at a time, and merge the results in the order of the pages."""
    require_packages(pages)
    for page in pages:
        require_data(page.studies, f"the page {page.name}")
    needed = list(dict.fromkeys(pair for page in pages for pair in page.experiments))
    lanes = share(needed)
    with tempfile.TemporaryDirectory() as folder, Processes(len(lanes)) as processes:

        def run_lane(index: int) -> dict[tuple[str, str], Any]:
            path = Path(folder) / f"{index}.json"
            ran = [(job.backend, _run_job(job, path, processes, progress)) for job in lanes[index]]
            return {(backend, name): tree for backend, results in ran for name, tree in results.items()}

        outputs = [processes.submit(run_lane, index) for index in range(len(lanes))]
        if any(page.figures for page in pages):
            load_matplotlib()  # while the others work
        ran = {pair: tree for output in as_completed(outputs) for pair, tree in output.result().items()}
    merged: dict[str, Any] = {"environment": {name: environment(value) for name, value in read_environment().items()}}
    for backend, name in needed:
        merged.setdefault(name, {})[backend] = ran[backend, name]
    return merged


def _run_job(job: Job, path: Path, processes: Processes, progress: Progress) -> dict[str, Any]:
    processes.run(
        "compare.report.run_experiments",
        ["--out", str(path), *job.experiments],
        job.backend,
        lambda line: progress(f"[{job.backend}] {line}"),
        what=f"the experiments {', '.join(job.experiments)} on {job.backend}",
        remedy="Install what the message names; --debug shows everything that was printed.",
    )
    return read_results(path)


def _stale_pages(out: Path, results: Results, pages: Sequence[Page | Index]) -> Iterator[str]:
    for page in pages:
        path = out / page.file
        if isinstance(page, Page) and not page.covers(results):
            yield f"{RESULTS} has no results for {page.file}"
        elif not path.exists():
            yield f"{page.file} is missing"
        elif path.read_text(encoding="utf-8") != _rendered(page, results):
            yield f"{page.file} differs from its rendered {RESULTS}"
        for figure in page.figures:
            if figure.covers(results) and not (out / figure.file).exists():
                yield f"{figure.file}, a figure of {page.file}, is missing"


def _files_of(pages: Sequence[Page]) -> Iterator[str]:
    yield RESULTS
    every: tuple[Page | Index, ...] = (*pages, INDEX)
    for page in every:
        yield page.file
        yield from (figure.file for figure in page.figures)


def _rendered(page: Page | Index, results: Results) -> str | None:
    """Render a page; return None if the results are not what it expects."""
    try:
        return page.render(results)
    except (LookupError, TypeError, ValueError, AttributeError):
        return None


def _write(out: Path, results: Mapping[str, Value | Results], pages: Sequence[Page]) -> None:
    """Write everything to a folder beside the old report, then move it into place file by file."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".new-") as folder:
        fresh = Path(folder)
        write_results(results, fresh / RESULTS)
        every: tuple[Page | Index, ...] = (*pages, INDEX)
        for page in every:
            (fresh / page.file).write_text(page.render(results), encoding="utf-8")
            for figure in page.figures:
                if figure.covers(results):
                    figure.draw(results, fresh / figure.file)
        for path in sorted(fresh.iterdir()):
            path.replace(out / path.name)
