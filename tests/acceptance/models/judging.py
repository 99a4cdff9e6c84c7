"""Whether a comparison says of a case what it has to say."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from compare import compare_models
from tests.acceptance.models.cases import Mistake, Place
from tests.acceptance.models.drawn import Case, Drawn

ORDERS = ("keras", "torch")
"""The framework of the model that is expected."""


@dataclass(frozen=True)
class Outcome:
    """What came of one comparison.

    Args:
        number: of the case.
        pair: of models.
        kind: "single", "double" or "right".
        label: the mistakes.
        expected: the framework of the model that is expected.
        wrong: the kinds of the place of the first mistake, "in" or "between" or both.
        right_place: whether the first divergence is where the first mistake is; of a correct port, whether there is none.
        second_found: whether the second mistake is found too; None if there is none.
        said: whether the remedy mentions what it has to, or `diagnose` names the mistake; None if it may be worded in any way,
            and where the wrong model is the expected one, to which the other one's mistake is another.
        seconds: the processor time of the comparison.
        own_seconds: that of the two models' own calls.
        came: the comparison's words.
    """

    number: int
    pair: str
    kind: str
    label: str
    expected: str
    wrong: str
    right_place: bool
    second_found: bool | None
    said: bool | None
    seconds: float
    own_seconds: float
    came: str

    @property
    def in_time(self) -> bool:
        return self.seconds <= 3 * self.own_seconds + 2


def judge(case: Case, drawn: Drawn, expected: str) -> Outcome:
    """Compare the models of a case, and judge what the comparison says."""
    models, inputs = (drawn.keras, drawn.torch), drawn.inputs
    if expected == "torch":
        models, inputs = models[::-1], inputs[::-1]
    start = time.process_time()
    try:
        found: Any = compare_models(*models, inputs[0], actual_inputs=inputs[1])
    except Exception as error:  # noqa: BLE001  # whatever it is, it is no answer
        found, came = None, f"{type(error).__name__}: {error}"
    seconds = time.process_time() - start
    verdict: dict[str, Any] = {"right_place": False} | dict.fromkeys(("second_found", "said"))
    if found is None:
        verdict |= {"second_found": False} if case.mistakes[1:] else {}
    else:
        came = _words(found)
        verdict |= _judge_mistakes(case, found, expected) if case.mistakes else _judge_correct(case, found, expected)
    places = sorted({place.kind for mistake in case.mistakes[:1] for place in mistake.places})
    return Outcome(
        case.number,
        case.pair.name,
        case.kind,
        case.label,
        expected,
        " or ".join(places),
        **verdict,
        seconds=round(seconds, 3),
        own_seconds=round(drawn.seconds, 3),
        came=came,
    )


def _judge_mistakes(case: Case, found: Any, expected: str) -> dict[str, Any]:
    first = case.mistakes[0]
    at_first = not found.passed and found.first is not None and _is_at(found.first, first, expected)
    return {
        "right_place": at_first,
        "second_found": _mentions(found, case.mistakes[1], expected) if case.mistakes[1:] else None,
        "said": (at_first and _is_said(found.first, first)) if _is_to_be_said(first, expected) else None,
    }


def _judge_correct(case: Case, found: Any, expected: str) -> dict[str, Any]:
    """A correct port agrees, in every row, and every layer has its partner."""
    partners = {(keras, torch) for keras, torch in case.pair.partners.items()}
    paired = {
        names if expected == "keras" else names[::-1]
        for row in found.rows
        for names in ((one, other) for one in _names(row.expected) for other in _names(row.actual))
    }
    agrees = found.passed and found.first is None
    return {"right_place": agrees and all(row.verdict in {"agrees", "no partner"} for row in found.rows) and partners <= paired}


def _is_to_be_said(mistake: Mistake, expected: str) -> bool:
    return mistake.side != expected and bool(mistake.fix or mistake.identifiers)


def _is_said(first: Any, mistake: Mistake) -> bool:
    return any(word in first.fix for word in mistake.fix) or bool(_identifiers(first) & set(mistake.identifiers))


def _is_at(first: Any, mistake: Mistake, expected: str) -> bool:
    return any(first.kind == place.kind and _names_place(first, place, expected) for place in mistake.places) or any(
        first.kind == "between" and place.kind == "in" and _is_after(first, place, expected) for place in mistake.places
    )


def _names_place(what: Any, place: Place, expected: str) -> bool:
    """Return whether a divergence or a row names a place; where one side has no partner, the other one's name is enough."""
    wanted = (place.keras, place.torch) if expected == "keras" else (place.torch, place.keras)
    given = [(_names(name), patterns) for name, patterns in zip((what.expected, what.actual), wanted, strict=True)]
    return any(names for names, _ in given) and all(not names or _any_match(names, patterns) for names, patterns in given)


def _is_after(first: Any, place: Place, expected: str) -> bool:
    """Return whether a divergence is at the end of the model, behind the place."""
    return not first.expected and not first.actual and _any_match(_names(first.after), getattr(place, expected))


def _mentions(found: Any, mistake: Mistake, expected: str) -> bool:
    """Return whether a mistake that is not the first one is found: a layer is wrong by itself, or a note names its place.

    A note on the model's result names the last layer of one side alone.
    """
    if any(
        row.verdict == "wrong here" and _names_place(row, place, expected) for row in found.rows for place in mistake.places
    ):
        return True
    words = {word for note in found.notes for word in re.findall(r"[\w.]+", note)}
    at_the_end = {"result"} & words
    return any(
        all(_any_match(words, names) or (at_the_end and place.kind == "in") for names in (place.keras, place.torch))
        and _any_match(words, place.keras + place.torch)
        for place in mistake.places
    )


def _names(name: str | None) -> set[str]:
    """Return the names in the name of a row, which may be several layers."""
    return {part for part in re.split(r"[\s,+/&]+", name or "") if part}


def _any_match(names: Iterable[str], patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


def _identifiers(first: Any) -> set[str]:
    findings = first.diagnosis.findings if first.diagnosis is not None else ()
    return {name for finding in findings for name in (finding.mistake, *finding.twins)}


def _words(found: Any) -> str:
    if found.first is None:
        rows = [f"{row.expected}/{row.actual}: {row.verdict}" for row in found.rows if row.verdict != "agrees"]
        return "; ".join([f"{'passed' if found.passed else 'failed'}, nothing named", *rows, *found.notes])
    first = found.first
    named = ", ".join(sorted(_identifiers(first)))
    parts = (f"{first.kind} {first.expected}/{first.actual} after {first.after}", first.fix, named, *found.notes)
    return "; ".join(" ".join(part.split()) for part in parts if part)
