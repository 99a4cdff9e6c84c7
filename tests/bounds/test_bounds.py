"""The check of the bounds finds what it needs wherever it lies, and installs what the project declares from where pip would.

Covers: `tests/bounds`, `pyproject.toml`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bounds import check
from tests.bounds.environments import BEYOND, IN_CI, Environment
from tests.bounds.interpreters import candidates, first_that_runs
from tests.bounds.pip_settings import parsed, translated

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def shim(tmp_path: Path) -> Path:
    """A version manager's shim: it is there, and fails."""
    path = tmp_path / f"python{HERE}"
    path.write_text("#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
    path.chmod(0o755)
    return path


def test_a_shim_that_fails_is_passed_over(shim: Path) -> None:
    assert first_that_runs(HERE, [shim]) is None
    assert first_that_runs(HERE, [shim, Path(sys.executable)]) == (Path(sys.executable), sys.version.split()[0])
    assert first_that_runs("3.9", [Path(sys.executable)]) is None


def test_versions_folders_are_looked_into(tmp_path: Path, shim: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    for version in (f"{HERE}.1", "3.9.18"):
        (tmp_path / "pyenv" / "versions" / version).mkdir(parents=True)
    tried = list(candidates(HERE))
    assert tried.index(shim) < tried.index(tmp_path / "pyenv" / "versions" / f"{HERE}.1" / "bin" / f"python{HERE}")
    assert not any("3.9.18" in str(path) for path in tried)


LISTED = """\
:env:.find-links='/wheels'
global.extra-index-url='file:///one/simple file:///two/simple'
global.find-links='/other'
install.no-index='true'
global.cert='/ca.crt'
list.format='columns'
"""


def test_uv_is_told_what_pip_is_configured_with() -> None:
    arguments, variables = translated(parsed(LISTED))
    assert arguments[2:] == [
        *("--index", "file:///one/simple", "--index", "file:///two/simple"),
        *("--find-links", "/wheels", "--no-index"),
    ]
    assert variables == {"SSL_CERT_FILE": "/ca.crt"}
    assert translated(parsed("")) == (arguments[:2], {})


PROJECT = {
    "dependencies": ["numpy>=1.23"],
    "optional-dependencies": {
        "tensorflow": ["tensorflow>=2.17", "keras>=3.5"],
        "all": ["gatewise[tensorflow,files]"],
        "files": ["h5py>=3.8"],
        "test": ["gatewise[all]", "pytest>=9", "tf_keras>=2"],
    },
}


def test_what_is_installed_is_what_the_project_declares() -> None:
    assert set(check.requirements(PROJECT, ("all",))) == {"numpy>=1.23", "tensorflow>=2.17", "keras>=3.5", "h5py>=3.8"}
    assert check.tools(PROJECT) == ["pytest>=9"]
    assert list(check.choices(["tensorflow>=2.17", "keras>=3.5"])) == [
        ["tensorflow-cpu>=2.17", "keras>=3.5"],
        ["tensorflow>=2.17", "keras>=3.5"],
    ]
    assert list(check.choices(["numpy>=1.23"])) == [["numpy>=1.23"]]


@pytest.fixture
def run_with(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, list[str]]]:
    """Run the check with another check of each environment; return its exit status and its last lines."""

    def run(outcome: Callable[[Environment], tuple[bool, str]]) -> tuple[int, list[str]]:
        monkeypatch.setattr(check, "check", outcome)
        status = check.main(["ci"])
        return status, [line for line in capsys.readouterr().out.splitlines() if line.startswith("bounds: ")]

    return run


def test_what_is_left_out_is_said_and_what_fails_fails(run_with: Callable[..., tuple[int, list[str]]]) -> None:
    def left_out(environment: Environment) -> tuple[bool, str]:
        raise check.LeftOutError(f"for want of a Python {environment.python} that runs")

    status, lines = run_with(left_out)
    assert status == 0
    assert lines[0] == f"bounds: {IN_CI[0].name}: left out, for want of a Python 3.10 that runs"
    assert run_with(lambda each: (each is not IN_CI[1], "ran"))[0] == 1
    assert run_with(lambda each: (True, "ran"))[0] == 0


def test_every_environment_has_extras_that_the_project_declares_and_tests_that_are_there() -> None:
    for environment in (*IN_CI, *BEYOND):
        assert list(check.requirements(check.read_project(), environment.extras))
        assert all((check.ROOT / each).exists() for run in environment.runs for each in run if each.startswith("tests/"))
