"""A command that runs frameworks ends within a second of Ctrl-C, and shows nothing of what they log.

Covers: `compare/commands/starting.py`, `compare/report/processes.py`.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.compare.commands.test_interrupts import end, start, wait_for

pytestmark = pytest.mark.frameworks


@pytest.mark.parametrize("group", [False, True])
def test_while_a_report_runs_its_experiments(tmp_path: Path, *, group: bool) -> None:
    started = tmp_path / "started"
    # The experiment's process waits, and heeds neither an interrupt nor a request to end.
    site = f"""
import sys, time, signal, os
if any("run_experiments" in each for each in sys.orig_argv):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with open({str(started)!r}, "a") as file:
        file.write(str(os.getpid()))
    time.sleep(60)
"""
    process = start(tmp_path, "report", "--only", "weights", "--out", tmp_path / "out", site=site)
    wait_for(started)
    time.sleep(0.2)
    said = end(process, group=group)
    assert said.splitlines()[-1] == "gatewise: interrupted."
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()
    assert gone(int(started.read_text()))


def gone(number: int) -> bool:
    """Wait until a process has ended."""
    for _ in range(100):
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{number}/stat").exists() and Path(f"/proc/{number}/stat").read_text().split()[2] == "Z":
            return True
        time.sleep(0.05)
    return False


def test_keras_and_tensorflow_say_nothing(tmp_path: Path) -> None:
    np.savez(tmp_path / "model.npz", **arrays())
    for source, target in (("model.npz", "out.keras"), ("out.keras", "again.keras")):  # layers, and a whole model
        process = start(tmp_path, "port", source, target)
        out, said = process.communicate(timeout=120)
        assert (process.returncode, said) == (0, "")
        assert out.startswith(f"{target}: ")


def arrays() -> dict[str, Any]:
    """The arrays of a torch GRU."""
    shapes = {"weight_ih_l0": (12, 3), "weight_hh_l0": (12, 4), "bias_ih_l0": (12,), "bias_hh_l0": (12,)}
    return {f"gru.{name}": np.ones(shape, "float32") for name, shape in shapes.items()}
