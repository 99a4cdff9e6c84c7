"""The progress of the long runs: one bar per part on a terminal, occasional lines elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING

from frameworks.errors import MissingFrameworkError

if TYPE_CHECKING:
    from rich.progress import TaskID
    from typing_extensions import Self

_TENTH = 10


class Bars:
    """One bar on stderr for each part that is running or finished.

    Raises:
        GatewiseError: if rich is not installed.
    """

    def __init__(self) -> None:
        """Load rich; nothing is shown yet."""
        try:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
        except ImportError as error:
            raise MissingFrameworkError.of("rich", error, extra="reports", to="show the progress of the long runs") from error
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._console = Console(stderr=True, no_color=True)
        self._progress = Progress(*columns, console=self._console)
        self._tasks: dict[str, tuple[TaskID, int]] = {}

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._console.is_terminal:
            self._progress.stop()  # which would print an empty line elsewhere

    def tell(self, name: str, done: int, steps: int) -> None:
        """Show the number of finished steps of a part."""
        if name not in self._tasks:
            self._tasks[name] = (self._progress.add_task(name, total=steps, completed=done), -1)
        task, tenth = self._tasks[name]
        self._progress.update(task, completed=done)
        reached = _TENTH * done // max(1, steps)
        if not self._console.is_terminal and reached != tenth:
            print(f"{name}: {done} of {steps} steps", file=sys.stderr, flush=True)
        self._tasks[name] = (task, reached)
