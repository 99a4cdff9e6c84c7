"""Asking a process of its own for a search: its progress, its answer, and its end."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from compare.commands import INTERRUPTED
from compare.commands.outcome import Outcome
from compare.commands.printing import tell
from compare.commands.searching.progress_line import ProgressLine
from frameworks.errors import ProcessError

_HOME = str(Path(__file__).resolve().parents[3])
_START = (
    "import sys; home = sys.argv.pop(); sys.path = [home, *filter(None, sys.path)];"
    " from compare.commands.searching.answering import main; sys.path.remove(home); main()"
)
"""What the process runs. Its path begins with the folder of this very gatewise only until that is imported."""


def ask(command: str, given: argparse.Namespace) -> Outcome:
    """Let a process of its own run the `search` of a command, and return its outcome.

    Args:
        command: the name of the command.
        given: its arguments.

    Returns:
        The outcome; after an interrupt what was found until then, with the status of interrupts.

    Raises:
        ProcessError: if the process cannot be started, or ends without an answer.
    """
    found: list[str] = []
    line = ProgressLine(sys.stderr, shown=not given.quiet)
    try:
        with line, _started(command, given) as process:
            return _listen(process, found, line)
    except KeyboardInterrupt:
        tell("gatewise: interrupted.")
        text = "\n".join(["Found until the interrupt:", *found]) if found else "Nothing was found until the interrupt."
        return Outcome(INTERRUPTED, {"found": found}, lambda _: text)


def _listen(process: subprocess.Popen[bytes], found: list[str], line: ProgressLine) -> Outcome:
    """Follow a search until its answer."""
    for message in map(json.loads, process.stdout or ()):
        if "step" in message:
            line.show(*message["step"])
        elif "found" in message:
            found.append(message["found"])
        else:
            line.clear()
            return _outcome(message)
    status = process.wait()
    raise ProcessError.because(
        "the process of the search",
        must="end with an answer",
        but=f"ended with exit status {status}" if status >= 0 else f"was ended by signal {-status}",
        remedy="If it ran a file of yours, see whether that ends the process (os._exit) or needs more memory than there is.",
    )


def _outcome(answer: Mapping[str, Any]) -> Outcome:
    """Print what an answer tells besides its results, and return it as an outcome."""
    for line in answer["told"]:
        tell(line)
    text: str | None = answer["text"]
    return Outcome(answer["status"], answer["results"], None if text is None else lambda _: text)


@contextmanager
def _started(command: str, given: argparse.Namespace) -> Iterator[subprocess.Popen[bytes]]:
    """Start the process, ask the question, and end the process with all that it has started."""
    question = {name: _plain(value) for name, value in vars(given).items() if not callable(value)}
    try:
        process = subprocess.Popen(  # noqa: S603  this interpreter on our own text
            [sys.executable, "-c", _START, _HOME],
            stdin=subprocess.PIPE,  # stays open: the process ends when this one is gone
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for this process, which ends the other
        )
    except OSError as error:
        raise ProcessError.because(
            "the search",
            must="run in a process of its own",
            but=f"starting it failed with: {error}",
            remedy="Free memory, or end other processes, and try again.",
        ) from error
    with process:
        try:
            with suppress(BrokenPipeError):  # the end of the process is reported where its answer is read
                process.stdin.write(json.dumps({**question, "command": command}).encode() + b"\n")  # type: ignore[union-attr]
                process.stdin.flush()  # type: ignore[union-attr]
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)  # also what a user's file has started
        else:
            process.kill()


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value
