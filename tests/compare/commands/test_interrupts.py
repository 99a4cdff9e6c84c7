"""Ctrl-C ends a command within a second, in one line and with status 130, whatever it is doing.

Covers: `compare/commands/starting.py`, `compare/facade/starting.py`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]
SOON = 1.0
SLOW_WORKER = "import os, sys, time\nif any('h5_worker' in each for each in sys.orig_argv):\n    {}\n"
SIGNALLED = """
import os, signal, sys
{before}
if any("-m" == each for each in sys.orig_argv):
    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name == {module!r}:
                sys.meta_path.remove(self)
                {then}
    sys.meta_path.insert(0, Finder())
"""
"""A sitecustomize module that interrupts the process when it imports a certain module."""
INTERRUPT = "os.kill(os.getpid(), signal.SIGINT)"


def heed() -> None:
    """Heed interrupts, which the tests' own process may ignore in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(folder: Path, *arguments: object, site: str = "", program: str = "compare") -> subprocess.Popen[str]:
    """Start a command with a sitecustomize module."""
    (folder / "site").mkdir(exist_ok=True)
    (folder / "site" / "sitecustomize.py").write_text(site)
    paths = os.pathsep.join((str(folder / "site"), str(ROOT / ".editable"), str(ROOT)))
    return subprocess.Popen(
        [sys.executable, "-m", program, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed,  # noqa: PLW1509  the tests start no threads
        start_new_session=True,
    )


def end(process: subprocess.Popen[str], *, group: bool = False) -> str:
    """Interrupt a command as Ctrl-C does, or itself alone; return what it wrote to stderr."""
    began = time.monotonic()
    (os.killpg if group else os.kill)(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert time.monotonic() - began < SOON
    assert process.returncode == 130
    return said


@pytest.fixture
def model(tmp_path: Path) -> Path:
    import h5py

    with h5py.File(tmp_path / "model.h5", "w") as file:
        file["array"] = np.zeros(3)
    return tmp_path / "model.h5"


def wait_for(path: Path) -> None:
    """Wait until a file exists."""
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(path)


@pytest.mark.parametrize("group", [False, True])
@pytest.mark.parametrize("ignoring", ["", "signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(15, signal.SIG_IGN); "])
def test_while_the_h5_process_works(tmp_path: Path, model: Path, ignoring: str, *, group: bool) -> None:
    started = tmp_path / "started"
    slow = f"import signal; {ignoring}open({str(started)!r}, 'w').close(); time.sleep(60)"
    process = start(tmp_path, "inspect", model, site=SLOW_WORKER.format(slow))
    wait_for(started)
    assert end(process, group=group) == "gatewise: interrupted.\n"


@pytest.mark.parametrize("module", ["argparse", "compare.cli", "numpy", "numpy.linalg", "datetime", "frameworks.files", "json"])
@pytest.mark.parametrize("program", ["compare", "gatewise"])
def test_while_a_module_is_imported(tmp_path: Path, model: Path, module: str, program: str) -> None:
    process = start(
        tmp_path, "inspect", model, program=program, site=SIGNALLED.format(before="", module=module, then=INTERRUPT)
    )
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "gatewise: interrupted.\n")


@pytest.mark.parametrize(
    "swallowed",
    [
        "try: {}\n                except BaseException: raise ImportError('it hides the interrupt')",
        "try: {}\n                except BaseException: import time; time.sleep(60)",
    ],
)
def test_an_interrupt_that_a_library_swallows_ends_the_process_all_the_same(
    tmp_path: Path, model: Path, swallowed: str
) -> None:
    site = SIGNALLED.format(before="", module="frameworks.files", then=swallowed.format(INTERRUPT))
    began = time.monotonic()
    process = start(tmp_path, "inspect", model, site=site)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "gatewise: interrupted.\n")
    assert time.monotonic() - began < 10


def test_an_import_that_fails_without_an_interrupt_is_an_error(tmp_path: Path, model: Path) -> None:
    site = SIGNALLED.format(before="", module="frameworks.files", then="raise ImportError('broken')")
    process = start(tmp_path, "inspect", model, site=site)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "raised ImportError: broken." in said


def test_an_interrupt_that_the_process_ignores_stays_ignored(tmp_path: Path, model: Path) -> None:
    ignored = "signal.signal(signal.SIGINT, signal.SIG_IGN)"
    site = SIGNALLED.format(before=ignored, module="numpy", then=INTERRUPT)
    process = start(tmp_path, "inspect", model, site=site)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "must hold a Keras model or its weights" in said


def test_an_error_before_the_command_line_is_loaded_is_one_line(tmp_path: Path, model: Path) -> None:
    site = SIGNALLED.format(before="", module="compare.cli", then="raise OSError('a broken\\n\\x1b[2Jdisk')")
    process = start(tmp_path, "inspect", model, site=site)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (2, "gatewise: OSError: a broken [2Jdisk. --debug shows the traceback.\n")
    process = start(tmp_path, "inspect", model, "--debug", site=site)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "Traceback" in said
