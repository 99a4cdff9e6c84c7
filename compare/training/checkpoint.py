"""The file that a long training resumes from: written atomically, and checked before use."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.groundwork.npz import UnreadableError, read_npz
from frameworks.errors import GatewiseError, InvalidValueError
from frameworks.showing import Shown, markdown_blocks, markdown_table, shortened

Array = npt.NDArray[Any]

_SETTINGS = "settings"


class DamagedCheckpointError(GatewiseError, ValueError):
    """Raised for a checkpoint that is damaged."""


@dataclass(frozen=True, repr=False)
class TrainingCheckpoint(Shown):
    """The checkpoint of a training.

    The previous state is stored beside the latest, so that a damaged file costs only the steps between the two.

    Args:
        path: the file, ending in .npz; its folder is created when something is written.
        settings: everything else that the training depends on, as JSON types; a checkpoint with other settings is refused.
        seconds: the time to train between two savings.

    Raises:
        GatewiseError: for a path that does not end in .npz.

    Example:
        >>> from gatewise import TrainingCheckpoint
        >>> checkpoint = TrainingCheckpoint("runs/translation.npz", settings={"seed": 0, "batch": 64}, seconds=60)
        >>> checkpoint.before.name
        'translation.before.npz'
    """

    path: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 20.0

    def __post_init__(self) -> None:
        """Require the ending: the names of further files replace it."""
        if Path(self.path).suffix != ".npz":
            raise InvalidValueError.because(
                "the path of a checkpoint", must="end in .npz", but=f"is {self.path}", remedy="Add the ending."
            )
        object.__setattr__(self, "path", Path(self.path))

    def to_markdown(self) -> str:
        """Return the files and the settings as a table."""
        files = [(path, "is there" if path.exists() else "is not written yet") for path in (self.path, self.before)]
        rows = [*files, ("seconds between two savings", f"{self.seconds:g}"), *self.settings.items()]
        return markdown_blocks(markdown_table((type(self).__name__, ""), rows))

    def _in_a_line(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"{type(self).__name__} {shortened(str(self.path), 60)}{f': {settings}' if settings else ''}"

    @property
    def before(self) -> Path:
        """The file of the previous saving."""
        return self.path.with_suffix(".before.npz")

    def save(self, arrays: Mapping[str, Array], sides: Iterable[str]) -> None:
        """Write the arrays to a new file, rename the current checkpoint to `before`, and the new file to `path`.

        Args:
            arrays: the arrays by name, with NumPy's dtypes.
            sides: the names of the sides.
        """
        # The process's number keeps two processes with the same checkpoint from writing the same file.
        fresh = self.keep_beside(f"new-{os.getpid()}", {_SETTINGS: np.array(self._described(sides)), **arrays})
        with suppress(FileNotFoundError):
            self.path.replace(self.before)
        fresh.replace(self.path)

    def keep_beside(self, kind: str, arrays: Mapping[str, Array]) -> Path:
        """Write arrays to a separate file beside the checkpoint, and return its path.

        Args:
            kind: the end of the file's name, before .npz.
            arrays: the arrays by name.
        """
        path = self.path.with_suffix(f".{kind}.npz")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
            file.flush()
            os.fsync(file.fileno())
        return path

    def load(self, sides: Iterable[str]) -> dict[str, Array] | None:
        """Return the arrays of the last saving, or None before the first.

        Args:
            sides: the names of the sides.

        Raises:
            GatewiseError: for a file that is damaged, or was written with other settings.
        """
        path = self.path if self.path.exists() else self.before
        if not path.exists():
            return None
        arrays = self._read(path)
        expected, stored = self._described(sides), str(arrays.pop(_SETTINGS, "no settings at all"))
        if stored != expected:
            raise InvalidValueError.because(
                f"the checkpoint {path}",
                must=f"come from a training with {expected}",
                but=f"comes from a training with {stored}",
                remedy="Delete it to start anew, or train with its settings.",
            )
        return arrays

    def _read(self, path: Path) -> dict[str, Array]:
        try:
            return read_npz(path)
        except UnreadableError as error:
            has_previous = path == self.path and self.before.exists()
            raise DamagedCheckpointError.because(
                f"the checkpoint {path}",
                must="be a complete file",
                but=f"is damaged: {error}",
                remedy=f"Delete it: the training then {f'resumes from {self.before.name}' if has_previous else 'starts anew'}.",
            ) from error

    def _described(self, sides: Iterable[str]) -> str:
        return json.dumps({**self.settings, "sides": list(sides)}, sort_keys=True)
