"""The result of a diagnosis: a verdict, and a finding for each mistake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tabulate import tabulate

from compare.diagnosis.mistakes import MISTAKES

Verdict = Literal["right", "named", "not named", "cannot be seen"]


@dataclass(frozen=True)
class Finding:
    """A mistake, where it is and how it is mended.

    Args:
        mistake: its identifier, a key of `MISTAKES`; the likeliest, if several are the same on this data.
        where: what it is confined to: layer and direction (from 0), part, gate, result (from 0), as far as they apply.
        found: what the port has or does.
        must_be: what it must have or do.
        fix: a line or two of code, or words.
        error_before: the largest difference from the right results before this mistake is undone; None if it cannot be
            undone by computing.
        error_after: the same afterwards, with all findings before it undone too.
        twins: identifiers of other mistakes that explain the same data.

    Example:
        >>> import torch
        >>> from gatewise import diagnose
        >>> right = torch.nn.GRU(3, 4, batch_first=True)
        >>> def port(x):
        ...     output, state = right(x)
        ...     return output.flip(1), state
        >>> finding = diagnose(right, port).findings[0]
        >>> finding.mistake, finding.where, finding.found, finding.must_be
        ('output-not-flipped', {'result': 0}, 'output.flip(1)', 'output')
    """

    mistake: str
    where: Mapping[str, int | str] = field(default_factory=dict)
    found: str = ""
    must_be: str = ""
    fix: str = ""
    error_before: float | None = None
    error_after: float | None = None
    twins: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the finding as a paragraph."""
        place = ", ".join(f"{axis} {value}" for axis, value in self.where.items())
        lines = [f"{self.mistake}{f' ({place})' if place else ''}: {MISTAKES[self.mistake]}"]
        if self.found:
            lines.append(f"  found: {self.found}")
        if self.must_be:
            lines.append(f"  must be: {self.must_be}")
        first, *more = self.fix.splitlines() or [""]
        lines += [f"  fix: {first}", *(f"       {line}" for line in more)]
        if self.error_before is not None and self.error_after is not None:
            lines.append(f"  off by {self.error_before:.3g} before, {self.error_after:.3g} after this is undone")
        if self.twins:
            lines.append(f"  the same on this data: {', '.join(self.twins)}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a port. It is truthy if nothing is.

    Args:
        verdict: "right": same results, and same arrays where they can be observed. "named": the findings explain every
            difference. "not named": they do not. "cannot be seen": same results, but the port is built differently in a way
            that this data cannot show.
        findings: the mistakes, the one with the largest effect first; () unless the verdict is "named".
        notes: what this data cannot show, and what was ruled out.

    Example:
        >>> import torch
        >>> from gatewise import diagnose
        >>> right = torch.nn.LSTM(3, 4)
        >>> diagnose(right, right)
        <Diagnosis 'right'>
        >>> diagnose(right, torch.nn.LSTM(3, 5)).verdict
        'named'
    """

    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Return whether the port is right."""
        return self.verdict == "right"

    def __str__(self) -> str:
        """Return the verdict, the findings and the notes as text."""
        notes = [f"note: {note}" for note in self.notes]
        return "\n".join([self._headline(), *(f"{number}. {each}" for number, each in enumerate(self.findings, 1)), *notes])

    def __repr__(self) -> str:
        """Return the verdict and the names of the mistakes in one line."""
        named = f": {', '.join(each.mistake for each in self.findings)}" if self.findings else ""
        return f"<Diagnosis {self.verdict!r}{named}>"

    def to_markdown(self) -> str:
        """Return the diagnosis as Markdown: the verdict, a table of the findings, and the notes."""
        rows = [
            (
                f"`{each.mistake}`",
                ", ".join(f"{axis} {value}" for axis, value in each.where.items()),
                each.found,
                each.must_be,
                each.fix,
            )
            for each in self.findings
        ]
        table = tabulate(rows, ("mistake", "where", "found", "must be", "fix"), tablefmt="github", disable_numparse=True)
        notes = "\n".join(f"* {note}" for note in self.notes)
        return "\n\n".join(part for part in (self._headline(), table if rows else "", notes) if part) + "\n"

    def _repr_markdown_(self) -> str:
        return self.to_markdown()

    def _headline(self) -> str:
        count = len(self.findings)
        return {
            "right": "right: the port does what the right layer does",
            "named": f"named: {count} mistake{'' if count == 1 else 's'}",
            "not named": "not named: the port differs, and no known mistake explains it",
            "cannot be seen": "cannot be seen: the results are the same, but the port is built differently",
        }[self.verdict]
