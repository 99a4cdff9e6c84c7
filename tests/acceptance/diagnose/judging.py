"""Whether a diagnosis says what was expected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

from compare import Diagnosis, Finding
from tests.acceptance.diagnose.settings import Setting
from tests.acceptance.diagnose.ways import ALL_PARTS, Expected


def names_all(diagnosis: Diagnosis, expected: Mapping[str, Expected], setting: Setting) -> bool:
    """Return whether every mistake is named, or a twin of it, with its place, and nothing else is."""
    brought = {name for where in expected.values() for name in where.brings}
    findings = [each for each in diagnosis.findings if each.mistake not in brought]
    candidates = [
        [name for name, where in expected.items() if {name, *where.same} & {each.mistake, *each.twins}] for each in findings
    ]
    if diagnosis.verdict != "named" or not all(candidates):
        return False
    return any(
        all(
            _lies_there([each for each, name in zip(findings, chosen, strict=True) if name == one], where, setting)
            for one, where in expected.items()
        )
        for chosen in product(*candidates)
    )


def by_first_name(diagnosis: Diagnosis, expected: Iterable[str]) -> bool:
    """Return whether the mistakes themselves were named, and not their twins."""
    return {each.mistake for each in diagnosis.findings} == set(expected)


def _lies_there(findings: Sequence[Finding], expected: Expected, setting: Setting) -> bool:
    """Return whether findings of one mistake together say where it is."""
    if not findings:
        return False
    return (
        (expected.places is None or _places(findings, setting) == expected.places)
        and (expected.parts is None or _parts_agree(_values(findings, "part"), expected))
        and (expected.gates is None or _values(findings, "gate") in (expected.gates, {None}))
        and (expected.results is None or _values(findings, "result") in (expected.results, {None}))
    )


def _places(findings: Sequence[Finding], setting: Setting) -> set[tuple[int, int]]:
    return {
        place
        for each in findings
        for place in setting.places
        if each.where.get("layer", place[0]) == place[0] and each.where.get("direction", place[1]) == place[1]
    }


def _values(findings: Sequence[Finding], axis: str) -> set[int | str | None]:
    return {each.where.get(axis) for each in findings}


def _parts_agree(said: set[int | str | None], expected: Expected) -> bool:
    """Return whether the parts are those expected; silence stands for all of them, or for what the name implies."""
    if None in said:
        return expected.implied or expected.parts == frozenset(ALL_PARTS)
    return _biases_as_one(said) == _biases_as_one(expected.parts or ())


def _biases_as_one(parts: Iterable[int | str | None]) -> set[int | str | None]:
    """Return parts with the recurrent bias counted as the bias: where it matters, the name of the mistake says which."""
    return {"bias" if part == "recurrent bias" else part for part in parts}
