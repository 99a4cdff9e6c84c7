"""The result of a diagnosis: a verdict, and a finding for each mistake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Literal

from compare.diagnosis.mistakes import MISTAKES
from frameworks.escaping import markdown_text
from frameworks.showing import Shown, markdown_blocks, markdown_list, markdown_table

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

    @property
    def place(self) -> str:
        """What it is confined to, in words; "" if it is everywhere."""
        return ", ".join(f"{axis} {value}" for axis, value in self.where.items())

    @property
    def effect(self) -> float:
        """How much less the results are off once it is undone; 0 if it cannot be undone by computing."""
        return 0.0 if self.error_before is None or self.error_after is None else self.error_before - self.error_after

    def __str__(self) -> str:
        """Return the finding as a paragraph."""
        lines = [f"{self.mistake}{f' ({self.place})' if self.place else ''}: {MISTAKES[self.mistake]}"]
        if self.found:
            lines.append(f"  found: {self.found}")
        if self.must_be:
            lines.append(f"  must be: {self.must_be}")
        first, *more = self.fix.splitlines() or [""]
        lines += [f"  fix: {first}", *(f"       {line}" for line in more)]
        if _off(self):
            lines.append(f"  {_off(self)} this is undone")
        if self.twins:
            lines.append(f"  the same on this data: {', '.join(self.twins)}")
        return "\n".join(lines)


_OFF = "off by "


def _off(finding: Finding) -> str:
    """Say how far the results are off before and after a mistake is undone; "" if it cannot be undone."""
    if finding.error_before is None or finding.error_after is None:
        return ""
    before, after = map(_in_words, (finding.error_before, finding.error_after))
    return f"{before} before, {after.removeprefix(_OFF) if before.startswith(_OFF) else after} after"


def _in_words(error: float) -> str:
    """Say how far results are apart, which is infinite where their shapes differ or a number is none."""
    return f"{_OFF}{error:.3g}" if isfinite(error) else "not comparable"


@dataclass(frozen=True, repr=False)
class Diagnosis(Shown):
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

    @classmethod
    def of(cls, findings: Sequence[Finding], notes: Sequence[str] = ()) -> Diagnosis:
        """Return the diagnosis that names these mistakes, the one with the largest effect first."""
        return cls("named", tuple(sorted(findings, key=lambda each: each.effect, reverse=True)), tuple(notes))

    def __bool__(self) -> bool:
        """Return whether the port is right."""
        return self.verdict == "right"

    def __str__(self) -> str:
        """Return the verdict, the findings and the notes as text."""
        notes = [f"note: {note}" for note in self.notes]
        return "\n".join([self._headline(), *(f"{number}. {each}" for number, each in enumerate(self.findings, 1)), *notes])

    def to_markdown(self) -> str:
        """Return the diagnosis as Markdown: the verdict, a table of the findings, the lines that mend each, and the notes."""
        rows = [
            (each.mistake, each.place, each.found, each.must_be, _off(each), ", ".join(each.twins)) for each in self.findings
        ]
        heads = ("mistake", "where", "found", "must be", "when it is undone", "the same on this data")
        shown = [column for column in zip(heads, *rows, strict=True) if any(column[1:])]
        head, *body = zip(*shown, strict=True) if rows else [()]
        table = markdown_table(head, body) if rows else ""
        fixes = [f"{markdown_text(each.mistake)}:\n\n```text\n{each.fix}\n```" for each in self.findings if each.fix]
        return markdown_blocks(self._headline(), table, *fixes, markdown_list(self.notes))

    def _in_a_line(self) -> str:
        named = f": {', '.join(each.mistake for each in self.findings)}" if self.findings else ""
        return f"{type(self).__name__} {self.verdict!r}{named}"

    def _headline(self) -> str:
        count = len(self.findings)
        return {
            "right": "right: the port does what the right layer does",
            "named": f"named: {count} mistake{'' if count == 1 else 's'}",
            "not named": "not named: the port differs, and no known mistake explains it",
            "cannot be seen": "cannot be seen: the results are the same, but the port is built differently",
        }[self.verdict]
