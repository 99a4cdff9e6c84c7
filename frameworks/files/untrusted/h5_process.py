"""The process that parses an h5 file: bounded, asked once, and started ahead of the question where one is expected."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

SECONDS, MEMORY = 20, 1 << 30
"""What the process may use: time on the clock and on the processor, and address space."""

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
        """Put the question and give the answer, empty where the process died of it.

        Args:
            question: what the worker is to do.
            descriptors: of the open files that it names by their place here.
            seconds: to wait for the answer.

        Raises:
            TimeoutError: when there is none in time.
        """
        try:
            with self._question:
                sent = socket.send_fds(self._question, [question], list(descriptors))
                self._question.sendall(question[sent:])
        except OSError:  # it is gone already, and its answer says why or is empty
            pass
        try:
            answer, _ = self._process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError from error
        finally:
            self.close()
        return bytes(answer)

    def close(self) -> None:
        """End it, whatever it does."""
        self._question.close()
        with self._process:  # which waits
            self._process.kill()


_waiting: list[Worker] = []


@contextmanager
def started_for(path: Path) -> Iterator[None]:
    """Start the process for a file that seems to hold h5, beside whatever else has to be done before it is asked."""
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
    """Ask the process that waits, or a new one, see `Worker.ask`."""
    worker = _waiting.pop() if _waiting else Worker()
    return worker.ask(question, descriptors, SECONDS)
