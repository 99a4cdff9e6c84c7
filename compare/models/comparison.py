"""The result of comparing two models: a row for each pair of layers, and the first divergence in words."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from tabulate import tabulate

from compare.diagnosis.result import Diagnosis
from compare.models.judged import RowVerdict
from frameworks.escaping import markdown_text, printable
from frameworks.showing import Shown, markdown_blocks, markdown_list, markdown_table

_HEADERS = ("expected", "actual", "input", "output", "alone", "verdict")
_SHOWN = 40
"""A table in text has at most about so many rows: of a run of pairs that agree, only its ends are shown."""


@dataclass(frozen=True)
class Row:
    """One pair of layers, in all its calls.

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
    """A place where two models part.

    Args:
        kind: "in": the module is wrong. "between": what the port does with a result is.
        expected: the name of the expected model's layer; None for the result of the model.
        actual: the name of the actual model's.
        after: the expected layer of the last pair that agrees; None if there is none before.
        time_step: the first time step that differs, for a recurrent layer.
        unit: the unit of the largest difference there.
        direction: the direction of that unit, if there are two.
        gate: the gate whose weights differ.
        diagnosis: what `diagnose` says of a recurrent pair.
        fix: what mends it.
        line: "file:line" of the port's code that calls the module, or "".
        call: which of the module's calls it is, from 0.
    """

    kind: Literal["in", "between"]
    expected: str | None
    actual: str | None
    after: str | None = None
    time_step: int | None = None
    unit: int | None = None
    direction: int | None = None
    gate: str | None = None
    diagnosis: Diagnosis | None = None
    fix: str = ""
    line: str = ""
    call: int = 0

    def __str__(self) -> str:
        """Return the place, what was diagnosed, and the fix."""
        findings = self.diagnosis.findings if self.diagnosis is not None else ()
        said = {line for each in findings for line in each.fix.split("\n")}
        beside = [line for line in self.fix.split("\n") if line and line not in said]
        names = [line for line in beside if line.startswith("# ") and findings]
        beside = [line for line in beside if line not in names]
        lines = [self.place, *(["fix: {}".format("\n     ".join(beside))] if beside else [])]
        lines += [str(self.diagnosis)] if self.diagnosis is not None else []
        return "\n".join([*lines, *names])

    @property
    def in_short(self) -> str:
        """The place, the mistakes that are named, and the fix, as a note."""
        named = ", ".join(each.mistake for each in self.diagnosis.findings) if self.diagnosis is not None else ""
        fix = self.fix.replace("\n", "\n      ")
        return ": ".join(each for each in (f"also {self.place}", named, fix) if each)

    @property
    def place(self) -> str:
        """The place in words."""
        where = f" at {self.line}" if self.line else ""
        again = f", in its call {self.call + 1}" if self.call else ""
        other = f" (expected: {self.expected})" if self.expected not in (None, self.actual) else ""
        after = self.after or "the inputs"
        if self.kind == "between" and self.expected is None:
            return f"between {after} and the result of the model"
        if self.kind == "between":
            return (
                f"between {after} and {self.actual}{other}, which is called{where}{again}"
                if where or again
                else (f"between {after} and {self.actual}{other}")
            )
        steps = [
            f"time step {self.time_step}" if self.time_step is not None else "",
            ("backward direction" if self.direction else "forward direction") if self.direction is not None else "",
            f"gate {self.gate}" if self.gate else "",
            f"unit {self.unit}" if self.unit is not None else "",
        ]
        shown = ", ".join(each for each in steps if each)
        return f"in {self.actual}{other}{f', called{where}' if where else ''}{again}{f': {shown}' if shown else ''}"


@dataclass(frozen=True, repr=False)
class ModelComparison(Shown):
    """Two models side by side. It is truthy if their results agree; layers may differ `inside` all the same.

    Args:
        passed: whether the results of the two models agree.
        rows: one for each pair, in the order of the expected model's call.
        first: where they first part, also inside if the results agree, or None.
        error: the largest difference of their results; None if their shapes differ.
        allowed: how large it may be.
        also: further places where they part, each on its own.
        notes: what differs although the results agree, what was not compared, and what the calls did beside.

    Example:
        >>> import torch
        >>> from gatewise import compare_models
        >>> layer = torch.nn.Linear(3, 2)
        >>> expected, actual = torch.nn.Sequential(layer, torch.nn.Tanh()), torch.nn.Sequential(layer)
        >>> comparison = compare_models(expected, actual, torch.ones(1, 3))
        >>> comparison.passed, [(row.expected, row.actual, row.verdict) for row in comparison.rows]
        (False, [('0', '0', 'agrees'), ('1', None, 'no partner')])
    """

    passed: bool
    rows: tuple[Row, ...]
    first: Divergence | None = None
    error: float | None = None
    allowed: float = 0.0
    also: tuple[Divergence, ...] = ()
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Return whether the results agree."""
        return self.passed

    @property
    def inside(self) -> tuple[Row, ...]:
        """The pairs that differ although the results agree."""
        return tuple(row for row in self.rows if self.passed and row.verdict in ("wrong here", "input differs"))

    def __str__(self) -> str:
        """Return the verdict, the table of pairs and the divergences as text."""
        words = "" if self.first is None else f"they first part {self.first}"
        parts = (self._verdict(), self._table(), words, self._notes())
        return "\n\n".join(part for part in parts if part)

    def to_markdown(self) -> str:
        """Return the same as Markdown."""
        words = "" if self.first is None else f"```text\nthey first part {self.first}\n```"
        table = markdown_table(_HEADERS, self._cells()) if self.rows else ""
        return markdown_blocks(f"**{markdown_text(self._verdict())}**", table, words, markdown_list(self.notes))

    def _in_a_line(self) -> str:
        place = "" if self.first is None else f", first {self.first.place}"
        return f"{type(self).__name__} {'passed' if self.passed else 'failed'}: {len(self.rows)} pairs{place}"

    def figure(self) -> Any:
        """Return a matplotlib figure of the divergence over the layers.

        Raises:
            MissingFrameworkError: if matplotlib is not installed.
        """
        return import_module("compare.models.drawing").draw(self)

    def _verdict(self) -> str:
        off = (
            "their shapes or their number differ" if self.error is None else f"{self.error:.3g} off, {self.allowed:.2g} allowed"
        )
        inside = "; layers differ inside" if self.inside else ""
        return f"the models' results {'agree' if self.passed else 'differ'}: {off}{inside}"

    def _table(self) -> str:
        return tabulate(self._cells(), _HEADERS, disable_numparse=True) if self.rows else ""

    def _cells(self) -> list[list[str]]:
        kept = self._shown_rows()
        cells = []
        skipped = 0
        for at, row in enumerate(self.rows):
            if at not in kept:
                skipped += 1
                continue
            if skipped:
                cells.append([f"... {skipped} pairs", "", "", "", "", "agree"])
                skipped = 0
            errors = map(_shown, (row.input_error, row.output_error, row.alone_error))
            cells.append([printable(row.expected or "-"), printable(row.actual or "-"), *errors, row.verdict])
        return [*cells, [f"... {skipped} pairs", "", "", "", "", "agree"]] if skipped else cells

    def _shown_rows(self) -> set[int]:
        """Return which rows are shown: all, or in a long table those that differ and their neighbours, and both ends."""
        if len(self.rows) <= _SHOWN:
            return set(range(len(self.rows)))
        differ = [at for at, row in enumerate(self.rows) if row.verdict != "agrees"]
        near = {at + by for at in differ for by in (-1, 0, 1)}
        return near | {0, 1, len(self.rows) - 2, len(self.rows) - 1}

    def _notes(self) -> str:
        return "\n".join(f"note: {note}" for note in self.notes)


def _shown(error: float | None) -> str:
    return "-" if error is None else f"{error:.2g}"
