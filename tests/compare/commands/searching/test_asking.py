"""A search runs in a process of its own: its answer is never mixed with what a file prints, and it ends with the command.

Covers: `compare/commands/searching/asking.py`, `compare/commands/searching/answering.py`, `compare/groundwork/progress.py`.
"""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare import cli
from frameworks.layouts import PYTORCH
from frameworks.spec import RecurrentSpec
from tests.compare.commands.test_interrupts import end, start, wait_for

SPEC = RecurrentSpec("gru", 3, 4)
NOISY = """
import os, subprocess, sys
from gatewise import open_checkpoint

print("printed while it is run")
print("x" * 1000 * 1000)
os.write(1, b"written to the descriptor\\n")
subprocess.run([sys.executable, "-S", "-c", "print('printed by another process')"], check=True)
layer = open_checkpoint("model.npz")["gru"]

def port(x):
    print("printed while it is called")
    return layer.forward(x).output, layer.forward(x).h_n

def wrong(x):
    return layer.forward(x).output * 1.001, layer.forward(x).h_n
"""
SLOW = """
import os, subprocess, sys, time, signal
from compare.groundwork import progress

def port(x):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
    progress.tell("the first gate is \\x1b[31mwrong")
    for number in progress.track(range(400), "gates of the kernel"):
        time.sleep(0.15)
        if number == 2:
            with open("started.part", "w") as file:
                file.write(f"{os.getpid()} {child.pid}")
            os.rename("started.part", "started")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a checkpoint and with files, which is the current one."""
    rng = np.random.default_rng(0)
    arrays = {f"gru.{name}": rng.normal(size=shape).astype("float32") for name, shape in PYTORCH.shapes(SPEC, 0).items()}
    np.savez(tmp_path / "model.npz", **arrays)  # type: ignore[arg-type]
    (tmp_path / "noisy.py").write_text(NOISY)
    (tmp_path / "slow.py").write_text(SLOW)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_what_a_file_prints_goes_to_stderr_and_the_answer_to_stdout(capfd: Any) -> None:
    assert cli.main(["diagnose", "model.npz", "noisy.py:port", "--json"]) == 0
    captured = capfd.readouterr()
    results = json.loads(captured.out)["results"]
    assert (results["verdict"], results["findings"], results["ran"]) == ("right", [], ["noisy.py"])
    assert (results["right"], results["port"]) == ("model.npz, layer gru", "noisy.py:port")
    for each in ("while it is run", "x" * 1000 * 1000, "to the descriptor", "by another process", "while it is called"):
        assert each in captured.err


@pytest.mark.usefixtures("folder")
def test_the_output_says_that_the_file_was_run_and_quiet_prints_nothing(capfd: Any) -> None:
    assert cli.main(["diagnose", "model.npz", "noisy.py:wrong"]) == 1
    captured = capfd.readouterr()
    assert captured.out.startswith(
        "right: model.npz, layer gru; port: noisy.py:wrong\nnoisy.py was run, in a process of its own.\n\n"
    )
    assert "not named" in captured.out or "named: " in captured.out
    assert cli.main(["diagnose", "model.npz", "noisy.py:wrong", "--quiet"]) == 1
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("folder")
def test_files_that_are_no_code_are_not_said_to_be_run(capfd: Any) -> None:
    assert cli.main(["diagnose", "model.npz", "model.npz"]) == 0
    captured = capfd.readouterr()
    assert "process" not in captured.out + captured.err


@pytest.mark.parametrize("debug", [False, True])
def test_an_error_of_a_file_is_the_users_traceback_and_status_2(folder: Path, capfd: Any, *, debug: bool) -> None:
    (folder / "broken.py").write_text("def net():\n    return {}['\\x1b[31m']\nnet()\n")
    assert cli.main(["diagnose", "model.npz", "broken.py:net", "--json", *["--debug"] * debug]) == 2
    captured = capfd.readouterr()
    whole = json.loads(captured.out)
    assert whole["status"] == 2
    assert whole["results"]["message"].startswith("broken.py must run without an error, but raises KeyError: '\\x1b[31m'")
    lines = captured.err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == f"gatewise: {whole['results']['message']}"
    assert "\x1b" not in captured.err
    assert ("answering.py" in captured.err) == debug
    assert debug or len(lines) < 10


def test_a_file_that_ends_the_process_is_an_error(folder: Path, capfd: Any) -> None:
    (folder / "ends.py").write_text("import os; os._exit(7)")
    assert cli.main(["diagnose", "model.npz", "ends.py:net"]) == 2
    assert "the process of the search must end with an answer, but ended with exit status 7." in capfd.readouterr().err


def started(folder: Path) -> list[int]:
    """Return the processes that run once a search has begun."""
    wait_for(folder / "started")
    return [int(number) for number in (folder / "started").read_text().split()]


def gone(number: int) -> bool:
    """Wait until a process has ended."""
    for _ in range(100):
        status = Path(f"/proc/{number}/stat")
        if not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_an_interrupt_ends_everything_with_what_was_found(folder: Path, form: list[str]) -> None:
    process = start(folder, "diagnose", "model.npz", "slow.py:port", *form)
    numbers = started(folder)
    began = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    out, said = process.communicate(timeout=60)
    assert time.monotonic() - began < 1
    assert (process.returncode, said) == (130, "gatewise: interrupted.\n")
    if form:
        assert json.loads(out)["results"] == {"found": ["the first gate is \\x1b[31mwrong"]}
        assert json.loads(out)["status"] == 130
    else:
        assert out == "Found until the interrupt:\nthe first gate is \\x1b[31mwrong\n"
    assert all(map(gone, numbers))


def test_an_interrupt_while_a_file_is_run_ends_it_too(folder: Path) -> None:
    (folder / "hangs.py").write_text("open('begun', 'w').close()\nwhile True: pass\n")
    process = start(folder, "diagnose", "model.npz", "hangs.py:net")
    wait_for(folder / "begun")
    assert end(process) == "gatewise: interrupted.\n"


def test_the_search_ends_with_a_command_that_is_killed(folder: Path) -> None:
    process = start(folder, "diagnose", "model.npz", "slow.py:port")
    numbers = started(folder)
    process.kill()
    process.communicate()
    assert all(map(gone, numbers))


def test_a_terminal_shows_a_bar_and_the_time_left(folder: Path) -> None:
    (folder / "slow.py").write_text(SLOW.replace("range(400)", "range(8)").replace("0.15", "0.12"))
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "compare", "diagnose", "model.npz", "slow.py:port"]
    ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=theirs, check=False)
    os.close(theirs)
    assert ended.returncode == 2  # it returns nothing
    lines = os.read(ours, 1 << 16).decode().replace("\n", "").split("\r")
    os.close(ours)
    assert any(line.startswith("gates of the kernel [#") and line.rstrip().endswith(" s left") for line in lines)
    assert "\x1b" not in "".join(lines)
    assert [line for line in lines if line.strip()][-1].startswith("gatewise: what the port returns must be 2 arrays")
