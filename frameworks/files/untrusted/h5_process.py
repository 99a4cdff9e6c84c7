"""The process that parses an h5 file: it has limits, answers once, and is started ahead of time if a file needs it."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from frameworks.errors import ProcessError
from frameworks.files.untrusted.h5_worker import READY
from frameworks.files.untrusted.source import Source

SECONDS, MEMORY = 20, 1 << 30
"""The limits of the process: seconds of processor time, and bytes of memory. Windows cannot set them."""
_PATIENCE = 30
"""How many seconds of real time it has for each second of processor time, on a machine that is busy with other work."""
PASSES_DESCRIPTORS = hasattr(socket, "send_fds")
"""Whether an open file can be passed to a running process; on Windows it cannot."""

_SCRIPT = Path(__file__).with_name("h5_worker.py")
_ENDINGS = (".keras", ".h5", ".hdf5")
_BLOCK = 4 << 20
_KILLED, _OUT_OF_TIME = 9, 24
"""The signals of the system when memory is short, and when the limit on processor time is reached (SIGXCPU)."""


class Worker:
    """One process. It imports what it needs, then waits for its question."""

    def __init__(self) -> None:
        """Start the process.

        Raises:
            ProcessError: if the system cannot start it.
        """
        try:
            self._question, theirs = _channel()
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603  this interpreter on our own script
                    [sys.executable, str(_SCRIPT), str(SECONDS), str(MEMORY)],
                    stdin=theirs.fileno(),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "HDF5_USE_FILE_LOCKING": "FALSE", "HDF5_PLUGIN_PATH": ""},
                    start_new_session=True,  # Ctrl-C is for this process, which ends the other
                )
        except OSError as error:
            raise _not_run(f"starting it failed with: {error}") from error

    def ask(self, question: bytes, descriptors: Sequence[int], seconds: float) -> bytes:
        """Ask a question and return the answer, which is empty if the process died.

        Args:
            question: the request for the worker.
            descriptors: those of the open files, in the order of the question; empty if it names files by path.
            seconds: how long to wait for the answer.

        Raises:
            TimeoutError: when no answer comes in time.
            ProcessError: if the process could not load what it needs, or was killed.
        """
        try:
            with self._question as channel:
                if isinstance(channel, socket.socket):
                    sent = socket.send_fds(channel, [question], list(descriptors))
                    channel.sendall(question[sent:])
                else:
                    channel.write(question)
        except OSError:  # the process has ended already; its answer gives the reason, or is empty
            pass
        try:
            answer, _ = self._process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError from error
        finally:
            self.close()
        status = self._process.returncode
        if not answer.startswith(READY):
            raise _not_run(f"ended with status {status} while it started")
        if status == -_OUT_OF_TIME:
            raise TimeoutError
        if status == -_KILLED:
            raise _not_run("was killed, as the system does when memory is short")
        return bytes(answer).removeprefix(READY)

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._question.close()
        with self._process:  # waits for the end
            self._process.kill()


def _not_run(why: str) -> ProcessError:
    return ProcessError.because(
        f"the process that reads h5 files, {sys.executable} {_SCRIPT}",
        must="run",
        but=why,
        remedy="Free memory, or raise the limits that `ulimit -a` shows, and try again: the file itself has not been judged.",
    )


def _patience() -> float:
    """Return the seconds of real time after which the process is ended: the only limit of time on Windows."""
    return SECONDS * (1 if find_spec("resource") is None else _PATIENCE)


def _channel() -> tuple[socket.socket | io.FileIO, socket.socket | io.FileIO]:
    """Return our end of a channel to a process, and the end that becomes its standard input."""
    if PASSES_DESCRIPTORS:
        return socket.socketpair()
    reading, writing = os.pipe()
    return io.FileIO(writing, "w"), io.FileIO(reading)


_waiting: list[Worker] = []


@contextmanager
def started_for(path: Path) -> Iterator[None]:
    """Start the process early for a file that seems to hold h5, so that it starts up while other work goes on."""
    if _waiting or not path.name.endswith(_ENDINGS) or not os.path.isfile(path):  # noqa: PTH113  Path raises for a name that is too long
        yield
        return
    with suppress(ProcessError):  # the one that is asked reports it
        _waiting.append(Worker())
    try:
        yield
    finally:
        while _waiting:
            _waiting.pop().close()


def ask(question: Mapping[str, Any], source: Source, out: int | None = None) -> bytes:
    """Ask the waiting process, or a new one.

    Args:
        question: the request for the worker.
        source: the file.
        out: the descriptor of the file to write to, or None.

    Raises:
        TimeoutError: when no answer comes in time.
        ProcessError: if the process cannot run.
    """
    worker = _waiting.pop() if _waiting else Worker()
    if PASSES_DESCRIPTORS:
        asked = {**question, "start": source.start, "size": source.size}
        return worker.ask(json.dumps(asked).encode(), [source.descriptor, *([] if out is None else [out])], _patience())
    with tempfile.TemporaryDirectory() as folder:
        copy, written = Path(folder, "file"), Path(folder, "out")
        with copy.open("wb") as file:
            for start in range(0, source.size, _BLOCK):
                file.write(source.read(start, min(_BLOCK, source.size - start)))
        written.touch()
        answer = worker.ask(json.dumps({**question, "file": str(copy), "out": str(written)}).encode(), (), _patience())
        if out is not None:
            with written.open("rb") as file, open(out, "wb", closefd=False) as target:
                shutil.copyfileobj(file, target)
    return answer
