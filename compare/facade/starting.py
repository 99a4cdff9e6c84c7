"""What the command `gatewise` needs before it loads anything else: this module imports only what Python has loaded at start."""

from __future__ import annotations

import os
import sys


def started_as_command() -> bool:
    """Return whether this process is the command `gatewise`, or `python -m gatewise` before Python has found the module."""
    program = sys.argv[0] if getattr(sys, "argv", None) else ""
    name = os.path.splitext(os.path.basename(program))[0]  # noqa: PTH119, PTH122  pathlib would have to be loaded
    return name == "gatewise" or (program == "-m" and "gatewise" in sys.orig_argv)


def end_on_interrupts() -> None:
    """End this process in one line if it is interrupted before `compare.commands.starting` takes over."""
    sys.excepthook = _end


def _end(kind: type[BaseException], error: BaseException, trace: object) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)  # type: ignore[arg-type]  # a traceback
        return
    os.write(2, b"gatewise: interrupted.\n")
    os._exit(130)
