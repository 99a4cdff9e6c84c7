"""The process that parses h5: started early if a file seems to hold h5, used once, and never left behind."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from frameworks.errors import GatewiseError
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
