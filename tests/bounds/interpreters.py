"""Finding a Python of a version: one that runs, wherever a version manager keeps it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

_VERSION = "import platform; print(platform.python_implementation(), platform.python_version())"


def find_python(version: str) -> tuple[Path, str] | None:
    """Return the first interpreter of a version that runs, and its full version.

    Args:
        version: as "3.10".
    """
    return first_that_runs(version, candidates(version))


def candidates(version: str) -> Iterator[Path]:
    """Yield where an interpreter of a version may lie; it may be missing, or a shim that fails."""
    yield Path(sys.executable)
    names = (f"python{version}", f"python{version}.exe")
    for place in filter(None, os.environ.get("PATH", "").split(os.pathsep)):
        yield from (Path(place, name) for name in names)
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT", home / ".pyenv"))
    data = Path(os.environ.get("XDG_DATA_HOME", home / ".local" / "share"))
    for folder, pattern in (
        (pyenv / "versions", f"{version}.*"),
        (Path(os.environ.get("UV_PYTHON_INSTALL_DIR", data / "uv" / "python")), f"cpython-{version}.*"),
        (home / ".asdf" / "installs" / "python", f"{version}.*"),
        (data / "mise" / "installs" / "python", f"{version}.*"),
    ):
        for installed in sorted(folder.glob(pattern), reverse=True):
            yield from (installed / "bin" / name for name in names[:1])
            yield installed / "python.exe"


def first_that_runs(version: str, paths: Iterable[Path]) -> tuple[Path, str] | None:
    """Return the first of some interpreters that runs and is CPython of that version, and its full version."""
    for path in paths:
        if not path.is_file():
            continue
        try:
            run = subprocess.run([path, "-c", _VERSION], capture_output=True, text=True, timeout=30, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        implementation, _, found = run.stdout.strip().partition(" ")
        if run.returncode == 0 and implementation == "CPython" and found.startswith(f"{version}."):
            return path, found
    return None
