"""Scoring a function with the form of `diagnose`: does it name the mistakes of the corpus?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from compare.report.studies.wrong_ports.corpus import Direction, Entry

Outcome = Literal["named", "twin", "wrong place", "not named", "called right", "false name", "right", "error"]
Diagnose = Callable[..., Any]
GOOD: tuple[Outcome, ...] = ("named", "twin")
"""What a port with mistakes must be."""


@dataclass(frozen=True)
class Score:
    """What a function says of one port.

    Args:
        entry: the name of the entry.
        which: "wrong", or "correct" for the port without its mistakes.
        direction: from which framework to which.
        is_right: whether the port is right.
        mistakes: the mistakes of the port; () for a right port, and for a fault without an identifier.
        outcome: "named" (all mistakes, and nothing else), "twin" (an identifier that explains the same data), "wrong place",
            "not named" (or not all), "called right" (a wrong port), "false name" (also if a right port is not called right),
            "right" (a right port), or "error".
        good: whether the outcome is what it must be.
        said: the identifiers that the function gave, or its error.
        seconds: the time that it took.
    """

    entry: str
    which: Literal["wrong", "correct"]
    direction: Direction
    is_right: bool
    mistakes: tuple[str, ...]
    outcome: Outcome
    good: bool
    said: str
    seconds: float


def score(diagnose: Diagnose, entries: Iterable[Entry], seed: int = 0) -> Iterator[Score]:
    """Yield the scores of a function: of each entry's wrong port, and of its correct one.

    Args:
        diagnose: called as `diagnose(right, port, inputs=..., mask=..., initial_state=...)`, the last two where the entry has
            them. It returns a `verdict` ("right", "named", ...) and `findings`, each with `mistake`, `where` and `twins`.
        entries: the entries.
        seed: draws weights and inputs.
    """
    for entry in entries:
        for which in ("wrong", "correct"):
            if which == "wrong" or not entry.is_right:
                yield _score(diagnose, entry, which, seed)


def _score(diagnose: Diagnose, entry: Entry, which: Literal["wrong", "correct"], seed: int) -> Score:
    make = entry.wrong if which == "wrong" else entry.correct
    right, port, call = entry.right(seed), make(entry.right(seed)), entry.call(seed)
    is_right = entry.is_right or which == "correct"
    mistakes = () if is_right else entry.mistakes
    places = {} if is_right else entry.places
    start = time.perf_counter()
    try:
        diagnosis = diagnose(right, port, **call)
        outcome, said = judge(diagnosis, places, is_right=is_right), said_by(diagnosis)
    except Exception as error:  # noqa: BLE001 - whatever the function raises
        outcome, said = "error", f"{type(error).__name__}: {error}"
    seconds = time.perf_counter() - start
    good = outcome == "right" if is_right else outcome in GOOD if mistakes else outcome == "not named"
    return Score(entry.name, which, entry.direction, is_right, mistakes, outcome, good, said, seconds)


def judge(diagnosis: Any, places: Mapping[str, Mapping[str, int | str]], *, is_right: bool) -> Outcome:
    """Return how a diagnosis compares with the labels of a port.

    Args:
        diagnosis: what the function returned.
        places: the mistakes of the port, each with the place that it is confined to.
        is_right: whether the port is right.
    """
    findings = list(diagnosis.findings)
    if diagnosis.verdict == "right":
        return "right" if is_right else "called right"
    if diagnosis.verdict != "named":
        return "false name" if is_right else "not named"
    outcomes: list[Outcome] = []
    for mistake, place in places.items():
        finding = next((each for each in findings if each.mistake == mistake), None)
        is_own = finding is not None
        finding = finding or next((each for each in findings if mistake in each.twins), None)
        if finding is None:
            continue
        findings.remove(finding)
        outcomes.append("wrong place" if not is_placed(finding.where, place) else "named" if is_own else "twin")
    if findings:
        return "false name"
    if len(outcomes) < len(places):
        return "not named"
    return next(each for each in ("wrong place", "twin", "named") if each in outcomes)


def is_placed(where: Mapping[str, Any], place: Mapping[str, int | str]) -> bool:
    """Return whether a finding gives the right place, to which it may add layer, direction or result 0."""
    added = [axis for axis in where if axis not in place]
    return all(where.get(axis) == value for axis, value in place.items()) and not any(
        axis in ("part", "gate") or (axis in ("layer", "direction", "result") and where[axis] != 0) for axis in added
    )


def said_by(diagnosis: Any) -> str:
    """Return the names and places of a diagnosis in one line; its verdict if it names nothing."""
    named = []
    for finding in diagnosis.findings:
        place = ", ".join(f"{axis} {value}" for axis, value in finding.where.items())
        named.append(f"{finding.mistake}{f' ({place})' if place else ''}")
    return "; ".join(named) or str(diagnosis.verdict)
