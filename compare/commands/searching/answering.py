"""The process of a search: it reads its question, runs the `search` of the command, and answers in lines of JSON.

It is started by `asking`. What anybody prints here goes to stderr: the pipe to the other process is only for messages.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from threading import Lock, Thread
from typing import Any, BinaryIO

import frameworks  # noqa: F401  before the folders of users come first on the path
from compare.commands import failures
from compare.commands.outcome import Outcome
from compare.commands.printing import to_json
from compare.commands.searching.quiet_imports import quiet_imports_of
from compare.commands.searching.user_errors import as_refusal, short_traceback
from compare.commands.searching.user_files import UserFiles
from compare.groundwork import progress
from frameworks.escaping import printable

_OFTEN = 0.1
"""The least seconds between two messages of progress."""


class _Channel:
    """The messages to the process that asks. This process ends when that one is gone."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe, self._lock, self._shown = pipe, Lock(), 0.0

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message."""
        try:
            with self._lock:
                self._pipe.write(json.dumps(message).encode() + b"\n")
                self._pipe.flush()
        except OSError:
            _leave()

    def step(self, what: str, done: int, total: int) -> None:
        """Send the progress of a search, now and then."""
        now = time.monotonic()
        if now - self._shown > _OFTEN:
            self._shown = now
            self.send({"step": [what, done, total]})

    def found(self, text: str) -> None:
        """Send a part of the answer."""
        self.send({"found": printable(text)})


def main() -> None:
    """Answer one question."""
    question, channel = _open()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    told, outcome = _answer(question, channel)
    text = None if outcome.render is None else "\n".join(map(printable, outcome.render(question.verbose).splitlines()))
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # of a stream that a user's file has put there
            stream.flush()
    channel.send({"status": outcome.status, "results": to_json(outcome.results), "text": text, "told": told})
    os._exit(0)  # without what a user's file does at exit


def _open() -> tuple[argparse.Namespace, _Channel]:
    """Read the question, and give the standard streams to whoever runs here."""
    asking = os.fdopen(os.dup(0), "rb")
    channel = _Channel(os.fdopen(os.dup(1), "wb"))
    question = argparse.Namespace(**json.loads(asking.readline()))
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere if question.quiet else 2, 1)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    Thread(target=_leave_after, args=(asking,), daemon=True).start()
    return question, channel


def _leave_after(asking: BinaryIO) -> None:
    asking.read()
    _leave()


def _leave() -> None:
    """End this process with all that it has started, because nobody waits for its answer."""
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _answer(question: argparse.Namespace, channel: _Channel) -> tuple[Sequence[str], Outcome]:
    files = UserFiles()
    with warnings.catch_warnings(), quiet_imports_of("tensorflow"), progress.watching(channel):
        failures.show_warnings(quiet=question.quiet)
        try:
            return (), import_module(f"compare.commands.{question.command}").search(question, files)
        except BaseException as error:  # noqa: BLE001  whatever a user's file raises
            lines, outcome = failures.describe_failure(question.command, as_refusal(error, files), debug=question.debug)
            shown = () if question.debug else short_traceback(error, files)
            return [*shown, *lines], outcome
