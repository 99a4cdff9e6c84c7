"""The line of a user's code from which a layer is called."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType

_FOLDER = str(Path(__file__).parent)


def user_line() -> str:
    """Return "file:line" of the innermost frame between a recording and the running hook that is a user's own code, or ""."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  the only way to the frames without reading their sources
    found = ""
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_FOLDER):
            if frame.f_code.co_name == "run_recorded":
                return found
        elif not found and not _is_library(frame) and not name.startswith("<"):
            found = f"{_short(name)}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def _is_library(frame: FrameType) -> bool:
    root = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return root in {"torch", "keras", "tf_keras", "tensorflow", "jax", "frameworks", "compare", "contextlib"}


def _short(name: str) -> str:
    try:
        return str(Path(name).resolve().relative_to(Path.cwd()))
    except ValueError:
        return Path(name).name
