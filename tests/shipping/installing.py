"""Shared by the tests of installations: copies of the checkout, archives built from them, and virtual environments."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNTRACKED = (".git", ".venv", ".editable", "__pycache__", "build", "dist", "*.egg-info", ".*_cache", ".hypothesis", ".coverage")
SITE_PACKAGES = [entry for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]


def copy_checkout(to: Path, without: Iterable[str] = ()) -> Path:
    """Copy the files of a clone, except those with some names."""
    return Path(shutil.copytree(ROOT, to, ignore=shutil.ignore_patterns(*UNTRACKED, *without)))


def tracked_files() -> set[str]:
    """Return the files that git tracks; in an unpacked source archive, all files."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
        return {name for name in listed if (ROOT / name).exists()}
    ignored = shutil.ignore_patterns(*UNTRACKED)
    paths = set()
    for folder, folders, files in os.walk(ROOT):
        folders[:] = set(folders) - ignored(folder, folders)
        paths |= {(Path(folder) / name).relative_to(ROOT).as_posix() for name in set(files) - ignored(folder, files)}
    return paths


def build(hook: str, project: Path, to: Path) -> Path:
    """Run a hook of the build backend in a project's folder: `build_sdist`, `build_wheel` or `build_editable`."""
    text = f"from setuptools import build_meta; print(build_meta.{hook}({str(to)!r}))"
    run = subprocess.run([sys.executable, "-c", text], cwd=project, capture_output=True, text=True, check=True)
    return to / run.stdout.splitlines()[-1]


@dataclass(frozen=True)
class Environment:
    """A virtual environment with gatewise; all other packages come from the environment of the tests."""

    path: Path

    @property
    def scripts(self) -> Path:
        return self.path / ("Scripts" if os.name == "nt" else "bin")

    def run(self, *command: str, cwd: Path, path: Iterable[Path] = ()) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment; `path` is its PYTHONPATH."""
        surroundings = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONSAFEPATH")}
        surroundings["PYTHONPATH"] = os.pathsep.join(map(str, path))
        program = str(self.scripts / command[0])
        return subprocess.run([program, *command[1:]], cwd=cwd, env=surroundings, capture_output=True, text=True, check=False)


def install(at: Path, *what: str) -> Environment:
    """Create an environment and install into it with pip, without dependencies and without an index."""
    venv.create(at, with_pip=False, symlinks=os.name != "nt")
    environment = Environment(at)
    options = [
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
        "--ignore-installed",
    ]
    command = [str(environment.scripts / "python"), "-m", "pip", "install", *options, *what]
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join(SITE_PACKAGES)}  # for pip and setuptools
    subprocess.run(command, env=surroundings, check=True, capture_output=True, text=True)
    (packages,) = [folder for folder in at.rglob("site-packages") if folder.is_dir()]
    (packages / "zz_of_the_tests.pth").write_text("\n".join(SITE_PACKAGES))
    return environment
