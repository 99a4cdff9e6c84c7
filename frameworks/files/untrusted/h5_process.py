"""The process that parses an h5 file: it has limits, answers once, and is started ahead of time if a file needs it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

SECONDS, MEMORY = 20, 1 << 30
"""The limits of the process: seconds, of the clock and of the processor, and bytes of address space."""

_SCRIPT = Path(__file__).with_name("h5_worker.py")
_ENDINGS = (".keras", ".h5", ".hdf5")


class Worker:
    """One process. It imports what it needs, then waits for its question."""

    def __init__(self) -> None:
        """Start it."""
        self._question, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  this interpreter on our own script
                [sys.executable, "-P", str(_SCRIPT), str(SECONDS), str(MEMORY)],
                stdin=theirs.fileno(),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "HDF5_USE_FILE_LOCKING": "FALSE", "HDF5_PLUGIN_PATH": ""},
            )

    def ask(self, question: bytes, descriptors: Sequence[int], seconds: float) -> bytes:
        """Ask a question and return the answer, which is empty if the process died.

        Args:
            question: the request for the worker.
            descriptors: of the open files that the question refers to by their order.
            seconds: to wait for the answer.

        Raises:
            TimeoutError: when no answer comes in time.
        """
        try:
            with self._question:
                sent = socket.send_fds(self._question, [question], list(descriptors))
                self._question.sendall(question[sent:])
        except OSError:  # the process has ended already; its answer says why, or is empty
            pass
        try:
            answer, _ = self._process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError from error
        finally:
            self.close()
        return bytes(answer)

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._question.close()
        with self._process:  # waits for the end
            self._process.kill()


_waiting: list[Worker] = []


@contextmanager
def started_for(path: Path) -> Iterator[None]:
    """Start the process early for a file that seems to hold h5, so that it starts up while other work goes on."""
    if _waiting or not path.name.endswith(_ENDINGS) or not path.is_file():
        yield
        return
    _waiting.append(Worker())
    try:
        yield
    finally:
        while _waiting:
            _waiting.pop().close()


def ask(question: bytes, descriptors: Sequence[int]) -> bytes:
    """Ask the waiting process, or a new one; see `Worker.ask`."""
    worker = _waiting.pop() if _waiting else Worker()
    return worker.ask(question, descriptors, SECONDS)
