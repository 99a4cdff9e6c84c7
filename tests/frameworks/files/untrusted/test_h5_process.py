"""The process that parses h5: started early if a file seems to hold h5, used once, and never left behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from frameworks.errors import GatewiseError, ProcessError
from frameworks.files import open_checkpoint
from frameworks.files.untrusted import h5_process
from frameworks.files.untrusted.h5 import read_h5
from frameworks.files.untrusted.source import open_source


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All processes that are started."""
    processes: list[Any] = []

    class Counted(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            processes.append(self)

    monkeypatch.setattr(subprocess, "Popen", Counted)
    return processes


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """An h5 file of two arrays, of which one is compressed."""
    path = tmp_path / "some.h5"
    with h5py.File(path, "w") as file:
        file["plain"] = np.arange(6.0)
        file.create_dataset("packed", data=np.arange(6.0), compression="gzip", chunks=(6,))
    return path


def test_the_process_started_early_is_the_one_that_is_used(weights: Path, started: list[Any]) -> None:
    with h5_process.started_for(weights):
        assert len(started) == 1
        file = read_h5(open_source(weights))
        assert len(started) == 1
        np.testing.assert_array_equal(file.arrays["plain"].read(), np.arange(6.0))
        np.testing.assert_array_equal(file.arrays["packed"].read(), np.arange(6.0))
        assert len(started) == 2  # each answers once
    assert [each.returncode is None for each in started] == [False, False]


@pytest.mark.parametrize("name", ["model.pt", "absent.h5"])
def test_no_process_is_started_for_a_file_that_does_not_need_it(tmp_path: Path, name: str, started: list[Any]) -> None:
    if name == "model.pt":
        (tmp_path / name).write_bytes(b"no checkpoint")
    with pytest.raises(GatewiseError):
        open_checkpoint(tmp_path / name)
    assert not started


def test_an_unused_process_ends_with_the_block_that_started_it(tmp_path: Path, started: list[Any]) -> None:
    path = tmp_path / "not_really.h5"
    path.write_bytes(b"no checkpoint")
    with pytest.raises(GatewiseError, match="known format"):
        open_checkpoint(path)
    assert [each.returncode is None for each in started] == [False]
    assert not h5_process._waiting


def test_the_process_ends_when_its_parent_is_gone(started: list[Any]) -> None:
    worker = h5_process.Worker()
    worker._question.close()
    assert started[0].wait(timeout=30) == 0
    worker.close()


@pytest.mark.parametrize(
    "failure", [BlockingIOError(11, "no more processes"), FileNotFoundError(2, "no interpreter"), OSError(12, "")]
)
@pytest.mark.parametrize("name", ["some.h5", "some.weights"])
def test_a_process_that_cannot_be_started_is_not_blamed_on_the_file(
    weights: Path, name: str, failure: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise failure

    monkeypatch.setattr(subprocess, "Popen", fail)
    with pytest.raises(ProcessError) as caught:
        open_checkpoint(weights.rename(weights.with_name(name)))
    assert "the process that reads h5 files" in str(caught.value)
    assert f"must run, but starting it failed with: {failure}. Free memory" in str(caught.value)
    assert "whole" not in str(caught.value)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import sys; sys.exit(3)", "ended with status 3 while it started"),
        ("import os; os.abort()", "ended with status -6 while it started"),
        ("import os; os.write(1, b'ready\\n'); os.kill(os.getpid(), 9)", "was killed, as the system does when memory is short"),
    ],
)
def test_a_process_that_ends_by_itself_is_not_blamed_on_the_file(
    weights: Path, program: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "worker.py").write_text(program)
    monkeypatch.setattr(h5_process, "_SCRIPT", tmp_path / "worker.py")
    with pytest.raises(ProcessError, match=f"must run, but {said}"):
        open_checkpoint(weights)


def test_a_process_that_the_file_makes_crash_is_blamed_on_the_file(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "worker.py").write_text("import os; os.write(1, b'ready\\n'); os.abort()")
    monkeypatch.setattr(h5_process, "_SCRIPT", tmp_path / "worker.py")
    with pytest.raises(GatewiseError, match=r"some\.h5 must be whole, but made the h5 library fail"):
        open_checkpoint(weights)


def worker(program: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the worker by a program with a limit of one second; it runs before the worker's own main part."""
    own = h5_process._SCRIPT.read_text()
    path.write_text(own.replace("    if request := receive():", f"    {program}\n    if request := receive():"))
    monkeypatch.setattr(h5_process, "_SCRIPT", path)
    monkeypatch.setattr(h5_process, "SECONDS", 1)


def test_a_process_that_has_to_wait_for_others_is_not_given_up(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a loaded machine: more real time than the limit on processor time."""
    worker("__import__('time').sleep(1.5)", tmp_path / "worker.py", monkeypatch)
    np.testing.assert_array_equal(read_h5(open_source(weights)).arrays["plain"].read(), np.arange(6.0))


def test_a_process_that_computes_for_too_long_is_given_up(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker("while True: pass", tmp_path / "worker.py", monkeypatch)
    with pytest.raises(GatewiseError, match="was still being read by the h5 library after 1 s"):
        read_h5(open_source(weights))


def test_limits_that_are_lower_already_are_kept(weights: Path) -> None:
    script = (
        "import resource, sys\n"
        "for kind, most in ((resource.RLIMIT_CPU, 15), (resource.RLIMIT_AS, 900 << 20)):\n"
        "    resource.setrlimit(kind, (most, most))\n"
        "from frameworks.files.untrusted.h5 import read_h5\n"
        "from frameworks.files.untrusted.source import open_source\n"
        "from pathlib import Path\n"
        "print(read_h5(open_source(Path(sys.argv[1]))).arrays['packed'].read().sum())\n"
    )
    root = Path(__file__).parents[4]
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, str(weights)], cwd=root, capture_output=True, text=True, check=False
    )
    assert (run.stdout, run.stderr) == ("15.0\n", "")
