"""The result of comparing two models: a row for each pair of layers, and the first divergence in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tabulate import tabulate

from compare.diagnosis.result import Diagnosis

RowVerdict = Literal["agrees", "wrong here", "input differs", "no partner"]


@dataclass(frozen=True)
class Row:
    """One pair of layers.

    Args:
        expected: the name of the expected model's layer; None if there is no partner.
        actual: the name of the actual model's.
        input_error: the largest difference of what both get; None if it cannot be compared.
        output_error: that of what both return.
        alone_error: that of what both return if the actual one gets what the expected one got.
        verdict: whether the pair agrees, is wrong, gets another input, or has no partner.
    """

    expected: str | None
    actual: str | None
    input_error: float | None = None
    output_error: float | None = None
    alone_error: float | None = None
    verdict: RowVerdict = "agrees"


@dataclass(frozen=True)
class Divergence:
    """Where two models first part.

    Args:
        kind: "in": the module is wrong. "between": what the port does with a result is.
        expected: the name of the expected model's layer.
        actual: the name of the actual model's.
        after: the expected layer of the last pair that agrees; None if there is none before.
        time_step: the first time step that differs, for a recurrent layer.
        unit: the unit of the largest difference there.
        gate: the gate whose weights differ.
        diagnosis: what `diagnose` says of a recurrent pair.
        fix: what mends it.
    """

    kind: Literal["in", "between"]
    expected: str | None
    actual: str | None
    after: str | None = None
    time_step: int | None = None
    unit: int | None = None
    gate: str | None = None
    diagnosis: Diagnosis | None = None
    fix: str = ""


@dataclass(frozen=True)
class ModelComparison:
    """Two models side by side. It is truthy if their results agree.

    Args:
        passed: whether the results of the two models agree.
        rows: one for each pair, in the order of the expected model's call.
        first: where they first part, or None.
        error: the largest difference of their results; None if their shapes differ.
        notes: what differs although the results agree, and what was not compared.
    """

    passed: bool
    rows: tuple[Row, ...]
    first: Divergence | None = None
    error: float | None = None
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Return whether the results agree."""
        return self.passed

    def __repr__(self) -> str:
        """Return the verdict in one line."""
        place = "" if self.first is None else f", first {self.first.kind} {self.first.expected!r} / {self.first.actual!r}"
        return f"<ModelComparison {'passed' if self.passed else 'failed'}: {len(self.rows)} pairs{place}>"

    def __str__(self) -> str:
        """Return the verdict, the table of pairs and the first divergence as text."""
        return "\n\n".join(
            part for part in (self._verdict(), self._table("simple"), self._first(), self._notes("note: ")) if part
        )

    def to_markdown(self) -> str:
        """Return the same as Markdown."""
        parts = (self._verdict(), self._table("github"), self._first(), self._notes("* "))
        return "\n\n".join(part for part in parts if part) + "\n"

    def _repr_markdown_(self) -> str:
        return self.to_markdown()

    def figure(self) -> Any:
        """Return a matplotlib figure of the divergence over the layers.

        Raises:
            MissingFrameworkError: if matplotlib is not installed.
        """
        from compare.models.drawing import draw

        return draw(self)

    def _verdict(self) -> str:
        off = "their shapes differ" if self.error is None else f"{self.error:.3g} off"
        return f"the models' results {'agree' if self.passed else 'differ'}: {off}"

    def _table(self, form: str) -> str:
        rows = [
            (
                row.expected or "-",
                row.actual or "-",
                *map(_shown, (row.input_error, row.output_error, row.alone_error)),
                row.verdict,
            )
            for row in self.rows
        ]
        return tabulate(
            rows, ("expected", "actual", "input", "output", "alone", "verdict"), tablefmt=form, disable_numparse=True
        )

    def _first(self) -> str:
        if self.first is None:
            return ""
        first = self.first
        place = [
            f"time step {first.time_step}" if first.time_step is not None else "",
            f"gate {first.gate}" if first.gate else "",
        ]
        shown = ", ".join(each for each in place if each)
        what = (
            f"they part in {first.actual} (expected: {first.expected})"
            if first.kind == "in"
            else f"they part between {first.after or 'the input'} and {first.actual} (expected: {first.expected})"
        )
        lines = [what + (f", at {shown}" if shown else "")]
        lines += [f"fix: {first.fix}"] if first.fix else []
        lines += [str(first.diagnosis)] if first.diagnosis is not None else []
        return "\n".join(lines)

    def _notes(self, bullet: str) -> str:
        return "\n".join(f"{bullet}{note}" for note in self.notes)


def _shown(error: float | None) -> str:
    return "-" if error is None else f"{error:.2g}"
