"""Running the code that a page shows, so that the page shows what was run."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import Any


def run_snippet(code: str, names: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
    """Execute code as a user would paste it.

    Args:
        code: Python source.
        names: the names that earlier snippets of the page have left; a fresh namespace when None.

    Returns:
        What it printed, and all names afterwards.
    """
    namespace: dict[str, Any] = {"__name__": "__snippet__"} if names is None else names
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(code, "<report>", "exec"), namespace)  # noqa: S102  the code is this project's own
    return printed.getvalue(), namespace
