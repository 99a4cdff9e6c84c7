"""The start and the end of a process of the command line, whatever happens in between.

An interrupt ends it in one line with status 130 within a second, and any other error in one line with status 2. This module is
loaded before anything else, so it imports next to nothing.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from _thread import start_new_thread

from compare.commands import INTERRUPTED

_ENOUGH = 0.8
"""The seconds that an interrupted command has to stop its processes and to remove its unfinished files."""


_interrupts: list[int] = []


def guard() -> None:
    """Open closed descriptors, and take over interrupts and uncaught errors."""
    while (lowest := os.open(os.devnull, os.O_RDWR)) < 3:
        pass  # otherwise a file of the user's would become stdin, stdout or stderr
    os.close(lowest)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115  as long as the process lives
    sys.excepthook = _end
    sys.unraisablehook = _end_unraisable
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        stderr = os.dup(2)  # TensorFlow is imported while descriptor 2 leads elsewhere
        signal.signal(signal.SIGINT, lambda *_: _interrupt(stderr))


def finish(status: int) -> int:
    """Return the status, or end the process at once if it was interrupted."""
    if status == INTERRUPTED:
        os._exit(status)
    return status


def was_interrupted() -> bool:
    """Return whether this process was interrupted; NumPy and others turn the interrupt into an error of their own."""
    return bool(_interrupts)


def _interrupt(stderr: int) -> None:
    """Raise KeyboardInterrupt, and end the process soon even if that is caught somewhere. The second time end it at once."""
    _interrupts.append(signal.SIGINT)
    signal.signal(signal.SIGINT, lambda *_: _leave(stderr))
    start_new_thread(_leave_later, (stderr,))  # without the locks of `threading`, in which this may have interrupted it
    raise KeyboardInterrupt


def _leave_later(stderr: int) -> None:
    time.sleep(_ENOUGH)
    _leave(stderr)


def _leave(stderr: int) -> None:
    try:
        os.write(stderr, b"gatewise: interrupted.\n")
    finally:
        os._exit(INTERRUPTED)


def _end(kind: type[BaseException], error: BaseException, trace: object) -> None:
    """End the process in one line, for what happens before or after `main`."""
    interrupted = issubclass(kind, KeyboardInterrupt)
    if "--debug" in sys.argv and not interrupted:
        sys.__excepthook__(kind, error, trace)  # type: ignore[arg-type]  # a traceback
    else:
        text = "interrupted." if interrupted else f"{kind.__name__}: {error}. --debug shows the traceback."
        shown = "".join(filter(str.isprintable, " ".join(text.split())))
        os.write(2, f"gatewise: {shown}\n".encode())
    os._exit(INTERRUPTED if interrupted else 2)


def _end_unraisable(caught: object) -> None:
    """End the process if it was interrupted where nothing can be raised; leave out other errors there without `--debug`."""
    kind = caught.exc_type  # type: ignore[attr-defined]
    if issubclass(kind, KeyboardInterrupt):
        _end(kind, kind(), None)
    elif "--debug" in sys.argv:
        sys.__unraisablehook__(caught)  # type: ignore[arg-type]
