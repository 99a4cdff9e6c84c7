"""The results of a run as a tree of values; the kind of a value determines how closely a later run must agree."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from frameworks.errors import InvalidValueError

RESULTS = "results.json"
"""The name of the file of the results, beside the pages."""
Kind = Literal["exact", "control", "measured", "environment"]

_CONTROL_SHARE = 0.1
"""The relative difference allowed between two machines in the size of a deliberate mistake."""


@dataclass(frozen=True)
class Value:
    """One result of a run.

    Args:
        kind: "exact" (shapes, names, printed text, verdicts) must be the same in every run; "control" (the size of a deliberate
            mistake) within 10%; "measured" (an error) on the same side of what is allowed; "environment" (versions, times,
            the data of a figure) may be anything.
        value: the value, of JSON types.
        allowed: the largest measured value that passes; None for other kinds.
    """

    kind: Kind
    value: Any
    allowed: float | None = None

    @property
    def passed(self) -> bool:
        """Whether a measured value is within its limit; True for other kinds."""
        return self.allowed is None or (self.value is not None and self.value <= self.allowed)

    def agrees(self, other: Value) -> bool:
        """Return whether the value of a later run agrees with this one."""
        if self.kind != other.kind:
            return False
        if self.kind == "exact":
            return bool(self.value == other.value)
        if self.kind == "control":
            return math.isclose(self.value, other.value, rel_tol=_CONTROL_SHARE)
        return self.kind == "environment" or self.passed == other.passed


Results: TypeAlias = Mapping[str, "Value | Results"]


def exact(value: Any) -> Value:
    """Make a value that every run must reproduce."""
    return Value("exact", value)


def control(size: float) -> Value:
    """Make a value of the size of a deliberate mistake."""
    return Value("control", float(size))


def measured(error: float, allowed: float) -> Value:
    """Make a value of an error and the largest that passes. NaN and infinity, which JSON lacks, become None and never pass."""
    return Value("measured", float(error) if math.isfinite(error) else None, float(allowed))


def environment(value: Any) -> Value:
    """Make a value that depends on the machine or the moment."""
    return Value("environment", value)


def leaves(results: Results, place: str = "") -> Iterator[tuple[str, Value]]:
    """Yield every value with its path in the tree, `page/section/name`."""
    for name, item in results.items():
        where = f"{place}/{name}" if place else name
        if isinstance(item, Value):
            yield where, item
        else:
            yield from leaves(item, where)


def all_passed(results: Results) -> bool:
    """Return whether every measured value of the tree is within its limit."""
    return all(value.passed for _, value in leaves(results))


def disagreements(committed: Results, fresh: Results) -> Iterator[str]:
    """Yield a sentence for each value on which two runs disagree."""
    before, after = dict(leaves(committed)), dict(leaves(fresh))
    for place in before.keys() | after.keys():
        one, other = before.get(place), after.get(place)
        if one is None or other is None:
            yield f"{place} is {'new' if one is None else 'gone'} in a fresh run"
        elif not one.agrees(other):
            yield f"{place} ({one.kind}) is {_shown(one)} in results.json, but {_shown(other)} in a fresh run"


def write_results(results: Results, path: Path) -> None:
    """Write a tree as JSON in the given order, one line per value."""
    path.write_text(_encode(results) + "\n", encoding="utf-8")


def read_results(path: Path) -> dict[str, Any]:
    """Read a tree that `write_results` wrote.

    Raises:
        GatewiseError: if the file is missing or is not such a tree.
    """
    try:
        tree: dict[str, Any] = _decode(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InvalidValueError.because(
            str(path),
            must="hold the results of a report",
            but=f"cannot be read: {error}",
            remedy="Delete it, and run `gatewise report`.",
        ) from error
    if isinstance(tree, Value):
        raise InvalidValueError.because(
            str(path), must="hold a tree of results", but="holds one value", remedy="Run `gatewise report`."
        )
    return tree


def _encode(item: Value | Results, margin: str = "") -> str:
    if isinstance(item, Value):
        leaf = {"kind": item.kind, "value": item.value}
        return json.dumps(leaf if item.allowed is None else leaf | {"allowed": item.allowed}, allow_nan=False)
    lines = [f"{margin} {json.dumps(name)}: {_encode(child, margin + ' ')}" for name, child in item.items()]
    return "\n".join(("{", ",\n".join(lines), f"{margin}}}")) if lines else "{}"


def _decode(item: Any) -> Any:
    if set(item) <= {"kind", "value", "allowed"} and "kind" in item:
        return Value(**item)
    return {name: _decode(child) for name, child in item.items()}


def _shown(value: Value) -> str:
    text = repr(value.value)
    shown = text if len(text) < 200 else f"{text[:200]}..."
    return shown if value.allowed is None else f"{shown} of {value.allowed} allowed"
