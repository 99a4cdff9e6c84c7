"""Running the code that a page shows, so that the page shows what was run."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any


def run_snippet(code: str, names: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
    """Execute code as a user would paste it.

    Args:
        code: Python source.
        names: the names defined by earlier snippets of the page; a fresh namespace when None.

    Returns:
        The printed text, and all names afterwards.
    """
    namespace: dict[str, Any] = {"__name__": "__snippet__"} if names is None else names
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(code, "<report>", "exec"), namespace)  # noqa: S102  the code is this project's own
    return printed.getvalue(), namespace


@contextmanager
def working_folder(folder: Path) -> Iterator[None]:
    """Work in a folder while the body runs, as Python 3.11's `contextlib.chdir`."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
