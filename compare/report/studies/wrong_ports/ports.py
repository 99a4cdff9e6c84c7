"""Judging ports that somebody, or something, wrote: each is run in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from compare.report.studies.wrong_ports.corpus import Direction
from compare.report.studies.wrong_ports.tasks import Task

Outcome = Literal["right", "wrong", "raises", "crashes", "times out", "missing"]
_RUNNER = "compare.report.studies.wrong_ports.run_port"


@dataclass(frozen=True)
class PortScore:
    """What became of one port.

    Args:
        task: the task's name.
        direction: from which framework to which.
        layer: the constructor of the right layer, and what it is called with beside its inputs.
        outcome: "right", "wrong" (other results), "raises" (an exception), "crashes" (the process ended without a result),
            "times out", or "missing" (no port.py, or one for another version of the task).
        distance: the largest difference as a share of max(1, max |expected|); None if there is none, or other shapes or NaN.
        named: the mistakes that diagnose names in a wrong port, or its verdict; the message of an error.
        seconds: the time of the process.
    """

    task: str
    direction: Direction
    layer: str
    outcome: Outcome
    distance: float | None
    named: str
    seconds: float


def judge_all(
    tasks: Iterable[Task], folder: Path, function: str, *, timeout: float, seed: int, jobs: int
) -> Iterator[PortScore]:
    """Yield the score of each task's port in a folder.

    Args:
        tasks: the tasks.
        folder: the folder with the tasks' folders.
        function: the function that names the mistakes of wrong ports, as MODULE:FUNCTION or FILE.py:FUNCTION.
        timeout: the seconds that each port may take, with the time that the frameworks take to load.
        seed: draws weights and inputs; the samples of the tasks have seed 0.
        jobs: the number of processes at a time.
    """
    one = partial(judge, folder=folder, function=function, timeout=timeout, seed=seed)
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(one, tasks)


def judge(task: Task, folder: Path, function: str, *, timeout: float, seed: int) -> PortScore:
    """Return the score of one port."""
    score = partial(PortScore, task.name, task.entry.direction, task.title)
    own = folder / task.name
    if not (own / "port.py").is_file():
        return score("missing", None, "port.py is missing", 0.0)
    if not (own / "right.py").is_file() or (own / "right.py").read_text() != task.right_source:
        return score("missing", None, "right.py is of another version of the corpus: write the tasks again", 0.0)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        result = Path(scratch) / "result.json"
        command = [sys.executable, "-m", _RUNNER, str(own.resolve()), str(task.entry.path), function, str(seed), str(result)]
        ended = _run(command, Path(scratch), timeout)
        seconds = time.perf_counter() - start
        if ended is None:
            return score("times out", None, f"it took more than {timeout:g} s", seconds)
        if not result.is_file():
            return score("crashes", None, f"the process ended with status {ended}", seconds)
        found: dict[str, Any] = json.loads(result.read_text())
    return score(found["outcome"], found["distance"], found["named"], seconds)


def _run(command: list[str], scratch: Path, timeout: float) -> int | None:
    """Return the exit status of a command, or None if it was killed after its time, with the processes that it started."""
    with (scratch / "output").open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.wait()
            return None
