"""The processes that run experiments: their environment, their failures, and their end when this process is interrupted."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from frameworks.errors import ProcessError

if TYPE_CHECKING:
    from typing_extensions import Self

_Result = TypeVar("_Result")


class Processes:
    """Processes in parallel lanes. If the block is left by an error or an interrupt, all of them are stopped."""

    def __init__(self, lanes: int, *, grace: float = 0.0) -> None:
        """Start no process yet.

        Args:
            lanes: the number of processes at a time.
            grace: the seconds in which a stopped process may write a checkpoint.
        """
        self._grace = grace
        self._pool = ThreadPoolExecutor(lanes)
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            self._stop()
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)

    def submit(self, function: Callable[..., _Result], *arguments: Any) -> Future[_Result]:
        """Call a function in the next free lane."""
        return self._pool.submit(function, *arguments)

    def run(
        self, module: str, arguments: Sequence[str], backend: str, tell: Callable[[str], None], *, what: str, remedy: str
    ) -> None:
        """Run a module in a process of its own, from a lane, and wait for it.

        Args:
            module: the name of the module.
            arguments: its command-line arguments.
            backend: Keras's backend.
            tell: a function called with each line that the process prints.
            what: the subject of the error if it fails.
            remedy: what to do then.

        Raises:
            ProcessError: if the process cannot be started, or ends with another status than 0.
            KeyboardInterrupt: if it was stopped.
        """
        with tempfile.TemporaryFile("w+", errors="replace") as errors:
            with self._start([sys.executable, "-m", module, *arguments], settings_of(backend), errors, what) as process:
                for line in process.stdout or ():
                    tell(line.rstrip())
            self._running.discard(process)
            if process.returncode and self._stopped:
                raise KeyboardInterrupt
            if process.returncode:
                errors.seek(0)
                raise _failed(what, process.returncode, errors.read(), remedy)

    def _start(self, command: list[str], settings: dict[str, str], errors: Any, what: str) -> subprocess.Popen[str]:
        variables = {**os.environ, **settings}
        with self._lock:
            if self._stopped:
                raise KeyboardInterrupt
            try:
                process = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=errors, text=True)  # noqa: S603
            except OSError as error:
                raise ProcessError.because(
                    what,
                    must="run in a process of their own",
                    but=f"starting it failed with: {error}",
                    remedy="Free memory, or end other processes, and try again.",
                ) from error
            self._running.add(process)
        return process

    def _stop(self) -> None:
        with self._lock:
            self._stopped = True
        stopped, end = list(self._running), time.monotonic() + self._grace
        for process in stopped:
            process.terminate()
        while any(process.poll() is None for process in stopped) and time.monotonic() < end:
            time.sleep(0.01)
        for process in stopped:
            process.kill()


def _failed(what: str, status: int, printed: str, remedy: str) -> ProcessError:
    last = next((line for line in reversed(printed.splitlines()) if line.strip()), "without a message").strip()
    ended = f"ended with exit status {status}" if status > 0 else f"was ended by signal {-status}"
    error = ProcessError.because(what, must="finish", but=f"{ended}: {last[:1000]}", remedy=remedy)
    error.printed = printed[-20_000:]
    return error


def settings_of(backend: str) -> dict[str, str]:
    """Return the environment variables of an experiment: its backend, the CPU alone, and the path of this very project.

    One thread each: on matrices this small torch's other threads only spin, and on busy cores that is most of the run.
    """
    root = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    return {
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": paths,
    }
