"""Making the long runs: parts in processes of their own, two at a time, each going on from where it was interrupted."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compare.report.environment import read_environment
from compare.report.long_parts import Part
from compare.report.processes import ReportFailedError, settings_of
from compare.report.results import environment, read_results
from frameworks.errors import GatewiseError, InvalidValueError
from frameworks.locking import lock

if TYPE_CHECKING:
    from typing_extensions import Self

Told = Callable[[str, int, int], None]
"""Is told of a part, by name, how many steps are finished, of how many."""

_LANES = 2


def run_parts(parts: Mapping[str, Part], folder: Path, told: Told) -> dict[str, Any]:
    """Run parts, but those that an earlier, interrupted run has finished, and give the results of all.

    Args:
        parts: by name.
        folder: where checkpoints and finished results are kept, until `forget_parts` is told that they stand elsewhere.
        told: is told of progress.

    Raises:
        GatewiseError: for a part that fails and for files in the folder that are damaged or of other versions; the other parts
            are run to their end first. For a folder that another run is using, at once.
        KeyboardInterrupt: when interrupted, once every part has written its checkpoint.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder), _Lanes(folder, told) as lanes:
        found = lanes.run(parts)
    versions = {name: environment(value) for name, value in read_environment().items()}
    return {name: {"environment": versions, **found[name]} for name in parts}


def forget_parts(names: Iterable[str], folder: Path) -> None:
    """Remove what is kept of parts, and with the last of them the folder."""
    for name in names:
        for path in folder.glob(f"{name}.*"):
            path.unlink()
    if not any(path.suffix in (".json", ".npz") for path in folder.iterdir()):
        shutil.rmtree(folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep a second run out of a folder, as long as this process lives."""
    with (folder / "lock").open("w") as file:
        try:
            lock(file.fileno(), wait=False)
        except BlockingIOError as error:
            raise InvalidValueError.because(
                str(folder),
                must="be used by one long run at a time",
                but="is in use",
                remedy="Wait until the other has ended, or give another --out.",
            ) from error
        yield


class _Lanes:
    """Two processes at a time, all of which are told to stop when this one is."""

    def __init__(self, folder: Path, told: Told) -> None:
        self._folder = folder
        self._told = told
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGTERM, self._before)

    def run(self, parts: Mapping[str, Part]) -> dict[str, Any]:
        """Run all parts; the first failure is raised when the others are through."""
        pool = ThreadPoolExecutor(_LANES)
        waiting = {name: pool.submit(self._finish, name, part) for name, part in parts.items()}
        try:
            pool.shutdown(wait=True)
        except KeyboardInterrupt:
            self._stop()
            pool.shutdown(wait=True)
            raise
        return {name: future.result() for name, future in waiting.items()}

    def _stop(self) -> None:
        with self._lock:
            self._stopped.set()
            for process in self._running:
                process.send_signal(signal.SIGTERM)

    def _finish(self, name: str, part: Part) -> Mapping[str, Any]:
        path = self._folder / f"{name}.json"
        if not path.exists():
            self._run_process(name, part)
        found = _read_finished(path, part)
        self._told(name, part.steps, part.steps)
        return found

    def _run_process(self, name: str, part: Part) -> None:
        options = {"folder": str(self._folder), "settings": part.settings, "arguments": json.dumps(dict(part.arguments))}
        given = [text for option, value in options.items() for text in (f"--{option}", value)]
        command = [sys.executable, "-m", "compare.report.run_long_part", *given, name, part.module]
        surroundings = {**os.environ, **settings_of(part.backend)}
        with tempfile.TemporaryFile("w+") as errors:
            with self._lock:
                if self._stopped.is_set():
                    raise KeyboardInterrupt
                process = subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, stderr=errors, text=True)  # noqa: S603
                self._running.add(process)
            with process:
                for line in process.stdout or ():
                    done, steps = line.split()
                    self._told(name, int(done), int(steps))
            with self._lock:
                self._running.discard(process)
            if process.returncode and not self._stopped.is_set():
                errors.seek(0)
                raise ReportFailedError.because(
                    f"the long run {name}",
                    must="run to its end",
                    but=f"ended with exit status {process.returncode}:\n{errors.read()[-4000:]}",
                    remedy="Mend what the message names and run `gatewise report --full` again: finished steps are kept.",
                )
            if process.returncode:
                raise KeyboardInterrupt


def _read_finished(path: Path, part: Part) -> Mapping[str, Any]:
    try:
        tree = read_results(path)
        settings, found = tree["settings"].value, dict(tree["found"])
    except (GatewiseError, LookupError, AttributeError, TypeError) as error:
        raise InvalidValueError.because(
            str(path),
            must="hold the results of a finished part",
            but=f"is damaged: {error}",
            remedy="Delete it: the part goes on from its last checkpoint.",
        ) from error
    if settings != part.settings:
        raise InvalidValueError.because(
            str(path),
            must=f"be of {part.settings}",
            but=f"is of {settings}",
            remedy=f"Delete the folder {path.parent} to begin anew, or install the versions that it was made with.",
        )
    return found
