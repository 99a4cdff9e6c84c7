"""The progress of a search on a terminal: one line with a bar and the time left."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from typing_extensions import Self

_CELLS = 24


class ProgressLine:
    """A line that is written again and again, without escape sequences; nothing in a pipe.

    Args:
        stream: where it is shown.
        shown: whether it is shown on a terminal.
    """

    def __init__(self, stream: TextIO, *, shown: bool) -> None:
        """Show nothing yet."""
        self._stream = stream
        self._shown = shown and stream.isatty()
        self._search: tuple[str, int] | None = None
        self._began = 0.0
        self._width = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.clear()

    def show(self, what: str, done: int, total: int) -> None:
        """Show that `done` of `total` candidates of a search are tried."""
        if not self._shown or total <= 0:
            return
        now = time.monotonic()
        if self._search != (what, total):
            self._search, self._began = (what, total), now
        filled = _CELLS * done // total
        left = f"{(now - self._began) * (total - done) / done:.0f} s left" if done else ""
        self._write(f"{what} [{'#' * filled}{'.' * (_CELLS - filled)}] {done} of {total}  {left}".rstrip())

    def clear(self) -> None:
        """Remove the line."""
        if self._width:
            self._write("")
            self._stream.write("\r")
            self._stream.flush()
            self._width = 0

    def _write(self, text: str) -> None:
        text = text[:79]
        self._stream.write(f"\r{text.ljust(self._width)}")
        self._stream.flush()
        self._width = len(text)
