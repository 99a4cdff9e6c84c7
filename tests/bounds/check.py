"""Run chosen tests at the edges of what pyproject.toml declares: the lowest versions, and Pythons newer than the one at hand.

    python -m tests.bounds.check ci        what CI checks
    python -m tests.bounds.check           all of it

An environment is made by uv and kept in the user's cache until what is installed in it changes. What cannot be made here is
left out, and the last lines say so, as they say of every other one what was run. A test that fails makes the exit status 1.

torch is taken from where its CPU builds are; BOUNDS_TORCH=any takes it from wherever the other packages are, as a CUDA build
of some gigabytes where these have no other.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bounds.environments import BEYOND, IN_CI, Environment
from tests.bounds.interpreters import find_python
from tests.bounds.pip_settings import uv_settings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gatewise" / "bounds"
TOOLS = ("pytest", "pytest-xdist", "hypothesis")
_NAME = re.compile(r"[\w.-]+")


class LeftOutError(Exception):
    """Why an environment cannot be made here."""


def main(arguments: list[str]) -> int:
    """Check the environments; return the exit status."""
    lines, failed = [], False
    for environment in IN_CI if arguments == ["ci"] else (*IN_CI, *BEYOND):
        print(f"\n== {environment.name}", flush=True)
        try:
            passed, line = check(environment)
        except LeftOutError as error:
            passed, line = True, f"left out, {error}"
        lines.append(f"bounds: {environment.name}: {line}")
        failed |= not passed
    print("", *lines, sep="\n")
    return int(failed)


def check(environment: Environment) -> tuple[bool, str]:
    """Make an environment unless it is there, and run its tests; return whether they pass, and what was run.

    Raises:
        LeftOutError: if it cannot be made here.
    """
    found = find_python(environment.python)
    if found is None:
        raise LeftOutError(f"for want of a Python {environment.python} that runs")
    project = read_project()
    required = [*requirements(project, environment.extras), *tools(project)]
    python = install(environment, *found, required)
    began = time.monotonic()
    pytest = [str(python), "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider"]
    # As installed: pytest finds the plugin in the metadata that an editable installation leaves in the clone.
    importable = os.pathsep.join((str(ROOT / ".editable"), str(ROOT)))
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": importable, **environment.settings}
    runs = [subprocess.run([*pytest, *run], cwd=ROOT, env=surroundings, check=False) for run in environment.runs]
    passed = all(run.returncode == 0 for run in runs)
    versions = ", ".join(versions_in(python, required))
    took = f"{time.monotonic() - began:.0f} s"
    return passed, f"{'passed' if passed else 'FAILED'} in {took} with Python {found[1]}, {versions}"


def read_project() -> Mapping[str, Any]:
    """Return the table of pyproject.toml that declares what is required."""
    project: Mapping[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project


def requirements(project: Mapping[str, Any], extras: tuple[str, ...]) -> Iterator[str]:
    """Yield what the project and some of its extras require, its own extras followed."""
    yield from project["dependencies"]
    optional: Mapping[str, list[str]] = project["optional-dependencies"]
    waiting, seen = list(extras), set[str]()
    while waiting:
        extra = waiting.pop()
        for item in optional[extra] if extra not in seen else ():
            own = re.fullmatch(r"gatewise\[(.+)\]", item)
            if own:
                waiting += own[1].split(",")
            else:
                yield item
        seen.add(extra)


def tools(project: Mapping[str, Any]) -> list[str]:
    """Return what the tests are run with, as the project requires it."""
    return [item for item in project["optional-dependencies"]["test"] if name_of(item) in TOOLS]


def name_of(requirement: str) -> str:
    """Return the name of the package that is required."""
    found = _NAME.match(requirement)
    return found[0] if found else ""


def install(environment: Environment, interpreter: Path, version: str, required: Sequence[str]) -> Path:
    """Return the Python of an environment in the cache, which is made unless it is there.

    Raises:
        LeftOutError: if what is required cannot be installed.
    """
    settings, variables = uv_settings()
    arguments = [*settings, "--resolution", "lowest-direct" if environment.lowest else "highest"]
    if any(name_of(item) == "torch" for item in required) and os.environ.get("BOUNDS_TORCH") != "any":
        arguments += ["--torch-backend", "cpu"]
    made_of = json.dumps([str(interpreter), version, *required, *arguments])
    short = re.sub(r"\W+", "-", environment.name.lower())
    folder = CACHE / f"{short}-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if (folder / "installed").exists():
        return python
    for outdated in CACHE.glob(f"{short}-*"):
        shutil.rmtree(outdated)
    run_uv("venv", "--python", str(interpreter), str(folder), **variables)
    for choice in choices(required):
        why = run_uv("pip", "install", "--python", str(python), *arguments, *choice, **variables)
        if not why:
            (folder / "installed").touch()
            return python
    raise LeftOutError(f"for want of what is to be installed: {why}")


def choices(required: Sequence[str]) -> Iterator[list[str]]:
    """Yield what may be installed: TensorFlow's smaller build for processors alone, then TensorFlow."""
    if any(name_of(item) == "tensorflow" for item in required):
        yield [re.sub(r"^tensorflow\b", "tensorflow-cpu", item) for item in required]
    yield list(required)


def run_uv(*arguments: str, **variables: str) -> str:
    """Run uv; return why it failed, "" where it did not."""
    places = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    uv = shutil.which("uv", path=places)
    if uv is None:
        raise LeftOutError("for want of uv")
    run = subprocess.run([uv, *arguments], env={**os.environ, **variables}, capture_output=True, text=True, check=False)
    if not run.returncode:
        return ""
    said = " ".join(run.stderr.split())
    return said[max(said.find("error:"), 0) :][:300] or f"exit status {run.returncode} of uv"


def versions_in(python: Path, required: Iterable[str]) -> list[str]:
    """Return the packages of an environment that are required in it, but for tools, with their versions."""
    names = {name_of(item) for item in required} - {*TOOLS} | {"tensorflow-cpu"}
    listing = "import importlib.metadata as m; print(*(d.name + ' ' + d.version for d in m.distributions()), sep='\\n')"
    run = subprocess.run([python, "-c", listing], capture_output=True, text=True, check=True)
    return sorted(line for line in set(run.stdout.splitlines()) if line.partition(" ")[0] in names)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
