"""The long runs: parts in separate processes, two at a time, each resuming where it was interrupted."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from compare.report.environment import read_environment
from compare.report.long_parts import Part
from compare.report.processes import Processes
from compare.report.results import environment, read_results
from frameworks.errors import GatewiseError, InvalidValueError
from frameworks.locking import lock

StepProgress = Callable[[str, int, int], None]
"""Called with the name of a part, its number of finished steps, and its number of steps."""

_LANES = 2
_GRACE = 0.5  # an interrupted command ends within a second


def run_parts(parts: Mapping[str, Part], folder: Path, progress: StepProgress) -> dict[str, Any]:
    """Run the parts that no earlier, interrupted run has finished, and return the results of all.

    Args:
        parts: the parts by name.
        folder: the folder of the checkpoints and finished results, which `forget_parts` removes.
        progress: a function called whenever steps have finished.

    Raises:
        GatewiseError: if a part fails, or a file in the folder is damaged or comes from other settings; the other parts
            finish first. If another run is using the folder; nothing runs then.
        KeyboardInterrupt: when interrupted, after every part has written its checkpoint.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder), _terminated_as_interrupted(), Processes(_LANES, grace=_GRACE) as processes:
        run = _Run(folder, processes, progress)
        waiting = {name: processes.submit(run.finish, name, part) for name, part in parts.items()}
        wait(waiting.values())
        results = {name: future.result() for name, future in waiting.items()}
    versions = {name: environment(value) for name, value in read_environment().items()}
    return {name: {"environment": versions, **results[name]} for name in parts}


def forget_parts(names: Iterable[str], folder: Path) -> None:
    """Remove the files of some parts, and the folder once no part is left in it."""
    for name in names:
        for path in folder.glob(f"{name}.*"):
            path.unlink()
    if not any(path.suffix in (".json", ".npz") for path in folder.iterdir()):
        shutil.rmtree(folder)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock a folder against other runs as long as this process lives."""
    with (folder / "lock").open("w") as file:
        try:
            lock(file.fileno(), wait=False)
        except BlockingIOError as error:
            raise InvalidValueError.because(
                str(folder),
                must="be used by one long run at a time",
                but="is in use",
                remedy="Wait until the other run has ended, or choose another --out.",
            ) from error
        yield


class _Run:
    """The parts of one run, in the lanes of its processes."""

    def __init__(self, folder: Path, processes: Processes, progress: StepProgress) -> None:
        self._folder = folder
        self._processes = processes
        self._progress = progress

    def finish(self, name: str, part: Part) -> Mapping[str, Any]:
        """Return the results of a part, which is run unless an earlier run has finished it."""
        path = self._folder / f"{name}.json"
        if not path.exists():
            self._run_process(name, part)
        results = _read_finished(path, part)
        self._progress(name, part.steps, part.steps)
        return results

    def _run_process(self, name: str, part: Part) -> None:
        options = {"folder": str(self._folder), "settings": part.settings, "arguments": json.dumps(dict(part.arguments))}
        given = [text for option, value in options.items() for text in (f"--{option}", value)]
        self._processes.run(
            "compare.report.run_long_part",
            [*given, name, part.module],
            part.backend,
            lambda line: self._progress(name, *map(int, line.split())),
            what=f"the long run {name}",
            remedy="Fix what the message names and run `gatewise report --full` again: finished steps are kept.",
        )


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _read_finished(path: Path, part: Part) -> Mapping[str, Any]:
    try:
        tree = read_results(path)
        settings, results = tree["settings"].value, dict(tree["results"])
    except (GatewiseError, LookupError, AttributeError, TypeError) as error:
        raise InvalidValueError.because(
            str(path),
            must="hold the results of a finished part",
            but=f"is damaged: {error}",
            remedy="Delete it: the part resumes from its last checkpoint.",
        ) from error
    if settings != part.settings:
        raise InvalidValueError.because(
            str(path),
            must=f"come from {part.settings}",
            but=f"comes from {settings}",
            remedy=f"Delete the folder {path.parent} to start again, or install the versions that it was made with.",
        )
    return results
