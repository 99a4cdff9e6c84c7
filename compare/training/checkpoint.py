"""The file that a long training goes on from: written whole or not at all, and checked before anything in it is believed."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from frameworks.errors import GatewiseError, InvalidValueError

Array = npt.NDArray[Any]

_SETTINGS = "settings"


class DamagedCheckpointError(GatewiseError, ValueError):
    """A checkpoint that is not whole."""


@dataclass(frozen=True)
class TrainingCheckpoint:
    """Where a training keeps what it needs to go on.

    The last state but one is kept beside the last, so that a damaged file costs the steps since then and no more.

    Args:
        path: the file, ending in .npz, as a Path or its text; its folder is made when something is written.
        settings: what the training depends on beside its sides, of JSON's types; a checkpoint of other settings is refused.
        seconds: how long to train between two savings.

    Example:
        >>> from gatewise import TrainingCheckpoint
        >>> TrainingCheckpoint("run.npz", settings={"rate": 0.1}).before.name
        'run.before.npz'
    """

    path: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 20.0

    def __post_init__(self) -> None:
        """Refuse another ending, under which the files of two trainings could not be told apart."""
        if Path(self.path).suffix != ".npz":
            raise InvalidValueError.because(
                "the path of a checkpoint", must="end in .npz", but=f"is {self.path}", remedy="Add the ending."
            )
        object.__setattr__(self, "path", Path(self.path))

    @property
    def before(self) -> Path:
        """The file of the last saving but one."""
        return self.path.with_suffix(".before.npz")

    def save(self, arrays: Mapping[str, Array], sides: Iterable[str]) -> None:
        """Write the arrays beside the file, then put them in its place, and it in that of the one before.

        Args:
            arrays: by name, of NumPy's own dtypes.
            sides: the names of what is trained.
        """
        # Named by the process, so that two on the same checkpoint write no file together.
        fresh = self.keep_beside(f"new-{os.getpid()}", {_SETTINGS: np.array(self._described(sides)), **arrays})
        with suppress(FileNotFoundError):
            self.path.replace(self.before)
        fresh.replace(self.path)

    def keep_beside(self, kind: str, arrays: Mapping[str, Array]) -> Path:
        """Write arrays to a file of their own beside the checkpoint, and give its path.

        Args:
            kind: what its name ends with, before .npz.
            arrays: by name.
        """
        path = self.path.with_suffix(f".{kind}.npz")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
            file.flush()
            os.fsync(file.fileno())
        return path

    def load(self, sides: Iterable[str]) -> dict[str, Array] | None:
        """Read the arrays of the last saving; None where nothing has been saved yet.

        Args:
            sides: the names of what is trained.

        Raises:
            GatewiseError: for a file that is damaged, or was written under other settings.
        """
        path = self.path if self.path.exists() else self.before
        if not path.exists():
            return None
        arrays = self._read(path)
        wanted, found = self._described(sides), str(arrays.pop(_SETTINGS, "no settings at all"))
        if found != wanted:
            raise InvalidValueError.because(
                f"the checkpoint {path}",
                must=f"be of a training with {wanted}",
                but=f"is of one with {found}",
                remedy="Delete it to begin anew, or train with its settings.",
            )
        return arrays

    def _read(self, path: Path) -> dict[str, Array]:
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return dict(stored)
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
            left = path == self.path and self.before.exists()
            raise DamagedCheckpointError.because(
                f"the checkpoint {path}",
                must="be read whole",
                but=f"is damaged: {error}",
                remedy=f"Delete it: the training then {f'goes on from {self.before.name}' if left else 'begins anew'}.",
            ) from error

    def _described(self, sides: Iterable[str]) -> str:
        return json.dumps({**self.settings, "sides": list(sides)}, sort_keys=True)
