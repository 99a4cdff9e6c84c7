"""The folder of the reports: what must hold before a run whose results would be written there or compared with it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from compare.report.page import Page
from compare.report.results import RESULTS, Value, read_results
from frameworks.errors import GatewiseError, InvalidValueError, MissingFrameworkError


def require_packages(pages: Iterable[Page]) -> None:
    """Require the packages that the experiments and figures of some pages import.

    Raises:
        MissingFrameworkError: with the names of those that are not installed.
    """
    pages = list(pages)
    needed = ["keras", "torch"]
    needed += ["tensorflow"] * any(backend == "tensorflow" for page in pages for backend, _ in page.experiments)
    needed += ["matplotlib"] * any(page.figures for page in pages)
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise MissingFrameworkError.because(
            " and ".join(missing),
            must="be installed to run the comparisons",
            but="cannot be found",
            remedy="Install them with: pip install 'gatewise[reports]'.",
        )


def require_writable(out: Path, files: Iterable[str], *, force: bool) -> None:
    """Require a folder that can be written to, and in which only files of an earlier report would be replaced.

    Args:
        out: the folder, which may be missing.
        files: the names of the files that would be written.
        force: whether other files may be replaced.

    Raises:
        GatewiseError: naming the folder, or a file that would be lost.
    """
    if (out.exists() or out.is_symlink()) and not out.is_dir():
        what = "a file" if out.exists() else "a link that leads nowhere"
        raise InvalidValueError.because(str(out), must="be a folder", but=f"is {what}", remedy="Choose another --out.")
    there = [name for name in files if (out / name).exists()]
    for name in there:
        if not (out / name).is_file():
            raise InvalidValueError.because(
                str(out / name), must="be a file", but="is not one", remedy="Rename it, or choose another --out."
            )
    if there and not force and not is_report(out):
        raise InvalidValueError.because(
            f"{', '.join(there)} in {out}",
            must="belong to an earlier report to be replaced",
            but=f"the folder has {f'a {RESULTS} of another kind' if RESULTS in there else f'no {RESULTS}'}",
            remedy="Choose another --out, or replace what is there with --force.",
        )
    nearest = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    try:
        with tempfile.TemporaryDirectory(dir=nearest, prefix=".new-"):
            pass
    except OSError as error:
        raise InvalidValueError.because(str(out), must="be writable", but=str(error), remedy="Choose another --out.") from error


def read_committed(out: Path) -> dict[str, Any]:
    """Return the results of an earlier report.

    Raises:
        GatewiseError: if there are none, or they cannot be read.
    """
    if not (out / RESULTS).exists():
        raise InvalidValueError.because(
            str(out),
            must="hold the reports of an earlier run",
            but=f"has no {RESULTS}" if out.exists() else "does not exist",
            remedy="Run `gatewise report` first, or name the folder of the reports with --out.",
        )
    return read_results(out / RESULTS)


def is_report(out: Path) -> bool:
    """Return whether a folder has the results of a report, which always include its environment."""
    try:
        tree = read_results(out / RESULTS).get("environment")
    except GatewiseError:
        return False
    return isinstance(tree, dict) and isinstance(tree.get("python"), Value)
