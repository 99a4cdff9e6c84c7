"""The result of a parity check: the comparisons, the overall verdict, and its text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Literal

from tabulate import tabulate

from compare.diagnosis.result import Diagnosis
from compare.parity.difference import Difference
from frameworks.escaping import markdown_text
from frameworks.showing import Shown, markdown_blocks, markdown_list, markdown_table
from frameworks.spec import RecurrentSpec

Where = Mapping[str, int | str]
Verdict = Literal["passed", "failed", "ill-conditioned"]

_HEADERS = ("what", "against", "shape", "max abs", "allowed", "needed", "verdict")


class Against(str, Enum):
    """The counterpart with which an array is compared."""

    EXPECTED = "expected"
    REFERENCE_OF_EXPECTED = "reference of expected"
    REFERENCE_OF_ACTUAL = "reference of actual"
    OWN_CALL_OF_EXPECTED = "expected's own call"
    RETURNS_MAP = "the return-value map"

    __str__ = str.__str__


REFERENCES = {"expected": Against.REFERENCE_OF_EXPECTED, "actual": Against.REFERENCE_OF_ACTUAL}
"""The reference with which each side is compared first."""


@dataclass(frozen=True)
class Comparison:
    """The comparison of one array.

    Args:
        name: the name of the compared array.
        shape: the expected shape.
        max_abs: the largest absolute difference; NaN if either side contains NaN.
        where: the place of that difference by axis name, or None if the two are equal or their shapes differ.
        allowed: the largest difference that passes.
        needed: the smallest tolerance that would have passed.
        against: the counterpart with which the array was compared.
        kind: "weights", "result", "own call" for a return value of a Keras layer's own call, or "gradient".
        array: "output", "h_n" or "c_n" of a result; "inputs", "h_0", "kernel" and so on of a gradient with respect to it.
        ill_conditioned: whether the expected layer itself is too far from the reference of its weights for a verdict.
        other_shape: the actual shape if it differs, or None.
        expression: the expression over the other side's results in a comparison with the return-value map.
    """

    name: str
    shape: tuple[int, ...]
    max_abs: float
    where: Where | None
    allowed: float
    needed: float
    against: Against
    kind: str = "result"
    array: str = ""
    ill_conditioned: bool = False
    other_shape: tuple[int, ...] | None = None
    expression: str = ""

    @classmethod
    def of(
        cls,
        name: str,
        difference: Difference,
        where: Where | None,
        tolerance: float,
        against: Against,
        *,
        kind: str = "result",
        array: str = "",
        expression: str = "",
    ) -> Comparison:
        """Return the comparison that judges a difference by a tolerance."""
        return cls(
            name=name,
            shape=difference.shape,
            max_abs=difference.max_abs,
            where=where,
            allowed=tolerance * difference.scale,
            needed=difference.needed,
            against=against,
            kind=kind,
            array=array,
            other_shape=difference.other_shape,
            expression=expression,
        )

    @property
    def within(self) -> bool:
        """Whether the difference is at most the allowed one; never for NaN."""
        return self.max_abs <= self.allowed

    @property
    def verdict(self) -> Verdict:
        """The verdict on this array: passed, failed or ill-conditioned."""
        if self.ill_conditioned:
            return "ill-conditioned"
        return "passed" if self.within else "failed"

    @property
    def shown_against(self) -> str:
        """The text for the counterpart with which the array was compared."""
        return self.expression or str(self.against)

    def __str__(self) -> str:
        """Return what differs, by how much and where."""
        if self.other_shape is not None:
            return f"{self.name} has shape {self.other_shape}, but {self.shown_against} has {self.shape}"
        axes = [] if self.where is None else [f"{axis} {index}" for axis, index in self.where.items()]
        place = f" at {', '.join(axis for axis in axes if axis not in self.name)}" if axes else ""
        error = "holds NaN" if math.isnan(self.max_abs) else f"is {self.max_abs:.3g} off"
        verdict = f"allowed {self.allowed:.3g}, needed tolerance {self.needed:.3g}"
        return f"{self.name} {error}{place}, against {self.shown_against}; {verdict}"


@dataclass(frozen=True, repr=False)
class ParityResult(Shown):
    """All comparisons of a check, weights first. It is truthy if everything passed, and its text is a report.

    Args:
        comparisons: the comparisons in the order in which they were made.
        tolerance: the allowed error as a share of max(1, max |expected|).
        notes: remarks for the reader: flags that differ, coarser arithmetic, steps left out.
        differences: the options in which the two layers differ, such as the activation; each is a failure.
        diagnosis: what `diagnose` says of a failed check on the same call. None if the check did not fail, if only gradients
            failed, or if `diagnose` finds no difference.

    Example:
        >>> import torch
        >>> from gatewise import check_parity
        >>> layer, other = torch.nn.GRU(3, 4), torch.nn.GRU(3, 4)
        >>> other.load_state_dict(layer.state_dict())
        <All keys matched successfully>
        >>> other.bias_hh_l0.data[0] += 0.5
        >>> result = check_parity(layer, other)
        >>> result.passed, result.cause.name, result.cause.where["gate"], round(result.cause.max_abs, 3)
        (False, 'bias of layer 0, direction 0', 'reset', 0.5)
        >>> result.diagnosis.verdict
        'not named'
    """

    comparisons: tuple[Comparison, ...]
    tolerance: float
    notes: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    diagnosis: Diagnosis | None = None

    @property
    def verdict(self) -> Verdict:
        """Failed if anything has failed, otherwise ill-conditioned if anything is, otherwise passed."""
        if self.differences:
            return "failed"
        verdicts = {comparison.verdict for comparison in self.comparisons}
        return next((verdict for verdict in ("failed", "ill-conditioned") if verdict in verdicts), "passed")

    @property
    def passed(self) -> bool:
        """Whether everything is the same within the tolerance."""
        return self.verdict == "passed"

    @property
    def cause(self) -> Comparison | None:
        """The comparison of the first weights that differ, which explain every later difference; None if none differ."""
        return next((each for each in self.comparisons if each.kind == "weights" and not each.within), None)

    @property
    def can_be_named(self) -> bool:
        """Whether the check failed in something other than gradients, of which `diagnose` knows nothing."""
        return bool(self.differences) or any(each.verdict == "failed" and each.kind != "gradient" for each in self.comparisons)

    @property
    def worst(self) -> Comparison:
        """The comparison that needed the largest tolerance."""
        return max(self.comparisons, key=_needed)

    def __bool__(self) -> bool:
        """Return whether everything passed."""
        return self.passed

    def __str__(self) -> str:
        """Return the verdict, the cause or the worst difference, the notes, a table of all comparisons, and the diagnosis."""
        table = tabulate(self._rows(), _HEADERS, floatfmt=".2e")
        diagnosis = [] if self.diagnosis is None else ["", f"diagnosis: {self.diagnosis}"]
        return "\n".join([self._headline(), *self._lines(), "", table, *diagnosis])

    def to_markdown(self) -> str:
        """Return the same as Markdown."""
        rows = ([f"{cell:.2e}" if isinstance(cell, float) else cell for cell in row] for row in self._rows())
        table = markdown_table(_HEADERS, rows)
        diagnosis = "" if self.diagnosis is None else f"Diagnosis: {self.diagnosis.to_markdown().rstrip()}"
        return markdown_blocks(markdown_text(self._headline()), markdown_list(self._lines()), table, diagnosis)

    def _in_a_line(self) -> str:
        if self.passed:
            found = f"largest {self.worst.max_abs:.2g}"
        elif self.diagnosis is not None and self.diagnosis.findings:
            found = ", ".join(each.mistake for each in self.diagnosis.findings)
        else:
            found = next(self._lines()).removeprefix("failed: ")
        return f"{type(self).__name__} {self.verdict}, {len(self.comparisons)} comparisons: {found}"

    def _headline(self) -> str:
        return f"parity {self.verdict}: {len(self.comparisons)} comparisons at tolerance {self.tolerance:g}"

    def _lines(self) -> Iterator[str]:
        """Yield what differs, or the largest difference that passes, and the notes."""
        for difference in self.differences:
            yield f"failed: {difference}"
        if self.passed:
            yield f"largest: {self.worst}"
        elif self.cause is not None:
            yield f"cause: the weights differ: {self.cause}"
        elif self.verdict == "ill-conditioned":
            yield from (f"{each}" for each in self.comparisons if each.ill_conditioned)
            yield (
                "The expected layer itself is farther than allowed from the float64 reference of its own weights: its states "
                "are too large or too chaotic for a verdict, or its computation does not correspond to its weights."
            )
        if not self.passed:
            failed = [each for each in self.comparisons if each.verdict == "failed" and each is not self.cause]
            yield from (f"failed: {each}" for each in failed[:8])
        yield from (f"note: {note}" for note in self.notes)
        if any(each.kind == "gradient" for each in self.comparisons):
            yield "the table shows, for each array, only the gradient with the largest error over all layers and calls"

    def _rows(self) -> list[tuple[Any, ...]]:
        return [
            (each.name, each.shown_against, each.shape, each.max_abs, each.allowed, each.needed, each.verdict)
            for each in self._shown()
        ]

    def _shown(self) -> Iterable[Comparison]:
        """Return the comparisons in the table: all but the gradients, and the worst gradient of each array."""
        rows: dict[object, Comparison] = {}
        for index, each in enumerate(self.comparisons):
            row = (each.array, each.against) if each.kind == "gradient" else index
            if row not in rows or _needed(each) > _needed(rows[row]):
                rows[row] = each
        return rows.values()


def judge(own: Iterable[Comparison], rest: Iterable[Comparison], *, unsure: bool = False) -> list[Comparison]:
    """Mark ill-conditioned comparisons.

    If the expected layer is too far from its own reference, every other comparison that fails is marked too: it proves nothing.

    Args:
        own: the comparisons of the expected layer with the reference of its own weights.
        rest: all other comparisons.
        unsure: whether an earlier finding already rules out a verdict.
    """
    marked = [replace(each, ill_conditioned=not each.within and (unsure or not math.isnan(each.max_abs))) for each in own]
    unsure = unsure or any(each.ill_conditioned for each in marked)
    return marked + [replace(each, ill_conditioned=unsure and not each.within) for each in rest]


def _needed(comparison: Comparison) -> float:
    return math.inf if math.isnan(comparison.needed) else comparison.needed


def place_output(difference: Difference, spec: RecurrentSpec) -> Where | None:
    """Return the place of an index into (batch, time, direction * hidden), by axis name."""
    if difference.index is None or difference.max_abs == 0:
        return None
    batch, time, feature = difference.index
    direction, unit = divmod(feature, spec.hidden_size)
    return {"layer": spec.num_layers - 1, "direction": direction, "batch": batch, "time step": time, "unit": unit}


def place_state(difference: Difference, spec: RecurrentSpec) -> Where | None:
    """Return the place of an index into (layer * direction, batch, hidden), by axis name."""
    if difference.index is None or difference.max_abs == 0:
        return None
    row, batch, unit = difference.index
    layer, direction = divmod(row, spec.num_directions)
    return {"layer": layer, "direction": direction, "batch": batch, "unit": unit}
