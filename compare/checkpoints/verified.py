"""The verdicts on two files: one row per pair of layers, and what they mean together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path
from typing import Any, Literal

from compare.diagnosis.result import Diagnosis, Finding
from compare.parity.verdict import Comparison, Where

Verdict = Literal["same", "differs", "missing", "not compared"]
PairedBy = Literal["name", "choice", "weights", "sizes", ""]
STATUS: Mapping[Verdict, int] = {"differs": 1, "missing": 1, "not compared": 3}
"""The exit status of a row that is not the same."""


@dataclass(frozen=True)
class Unstated:
    """An option that one of the files does not state, so that it could not be compared.

    Args:
        option: the option's name.
        value: the value that the other file states.
        by: the side that does not state it.
    """

    option: str
    value: Any
    by: Literal["expected", "actual"]

    def __str__(self) -> str:
        """Return the option with its value."""
        return f"{self.option}={self.value!r}"


def unstated_by(option: str, values: tuple[Any, Any], *, is_expected: bool) -> Unstated:
    """Return what one side does not state, from the values of both."""
    return Unstated(option, values[is_expected], "expected" if is_expected else "actual")


@dataclass(frozen=True)
class Row:
    """The verdict on a layer, or on several that are called one after the other.

    Args:
        expected: the names in the first file; () if it lacks the layer.
        actual: the names in the second file; () if it lacks the layer.
        verdict: "same", "differs", "missing" from one of the files, or "not compared" although both hold it.
        kind: its class.
        largest_error: the largest difference of all comparisons; None if none were made.
        where: the place of the largest difference that fails, by axis name; None if none fails.
        cause: what differs, or why it was not compared; "" if it is the same.
        unstated: the options that one of the files does not state, and whose value in the other is not the one assumed.
        paired_by: what the pairing relies on: "name", "choice" of the user, equal "weights" or unique "sizes".
        comparisons: the comparisons of arrays and results.
        notes: what the comparison leaves open.
        diagnosis: what `diagnose` says of recurrent layers that differ; None for others, and if it finds no difference.
    """

    expected: tuple[str, ...]
    actual: tuple[str, ...]
    verdict: Verdict
    kind: str = ""
    largest_error: float | None = None
    where: Where | None = None
    cause: str = ""
    unstated: tuple[Unstated, ...] = ()
    paired_by: PairedBy = "name"
    comparisons: tuple[Comparison, ...] = ()
    notes: tuple[str, ...] = ()
    diagnosis: Diagnosis | None = None

    @property
    def name(self) -> str:
        """The names in both files, such as `lstm_1,lstm_2 = rnn`, or one if they are equal."""
        sides = [",".join(name or repr(name) for name in names) for names in (self.expected, self.actual) if names]
        return " = ".join(dict.fromkeys(sides))


@dataclass(frozen=True)
class Verification:
    """The verdicts on the layers of two files.

    Args:
        files: the two files.
        rows: one row per layer, in the order of the first file, then the layers of only the second file.
        without_weights: layers that only one of the files lists and that have no weights, such as Dropout.
        training: what training left in the files, such as the state of an optimizer; it is not compared.
        chosen: whether the user chose the layers, so that others were not compared.

    Example:
        >>> from pathlib import Path
        >>> from compare.checkpoints.verification import verify
        >>> result = verify(open_checkpoint("model.npz"), Path("model.npz"))
        >>> [(row.name, row.verdict) for row in result.rows], result.status
        ([('encoder', 'same'), ('head', 'same')], 0)
    """

    files: tuple[Path, Path]
    rows: tuple[Row, ...]
    without_weights: tuple[str, ...] = ()
    training: tuple[str, ...] = ()
    chosen: bool = False

    @property
    def status(self) -> int:
        """The exit status: 0 if no difference was found, 1 for a difference, 3 if a layer could not be compared."""
        found = {STATUS.get(row.verdict, 0) for row in self.rows}
        return next((status for status in (1, 3) if status in found), 0)

    @property
    def names(self) -> tuple[str, str]:
        """What the files are called: their names, or their paths if the names are equal."""
        return file_names(self.files)

    @property
    def not_compared(self) -> tuple[str, ...]:
        """The names of the layers that could not be compared."""
        return tuple(row.name for row in self.rows if row.verdict == "not compared")

    def to_dict(self) -> dict[str, Any]:
        """Return the verdicts as data for JSON; numbers that JSON lacks become text, such as "nan"."""
        named = {"files": self.files, "rows": self.rows, "not_compared": self.not_compared, "training": self.training}
        rest = {"without_weights": self.without_weights, "chosen": self.chosen, "status": self.status}
        return {name: _plain(value) for name, value in (named | rest).items()}


def file_names(files: tuple[Path, Path]) -> tuple[str, str]:
    """Return what two files are called: their names, or their paths if the names are equal."""
    if files[0].name == files[1].name:
        return str(files[0]), str(files[1])
    return files[0].name, files[1].name


def _plain(value: Any) -> Any:
    if isinstance(value, (Row, Comparison, Unstated, Diagnosis, Finding)):
        own = {"name": value.name} if isinstance(value, Row) else {}
        own |= {"verdict": value.verdict} if isinstance(value, Comparison) else {}
        return _plain({**own, **{name: getattr(value, name) for name in (each.name for each in fields(value))}})
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return str(value) if isinstance(value, (Path, Enum)) else value
