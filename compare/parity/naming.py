"""The mistake behind a check that failed, as `diagnose` names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from compare.diagnosis.diagnosing import diagnose
from compare.diagnosis.result import Diagnosis, Finding
from compare.groundwork.calls import Call
from frameworks.errors import GatewiseError

_TOLD = ("named", "not named")


def name_mistake(sides: tuple[Any, Any], call: Call | None, tolerance: float | None, seed: int = 0) -> Diagnosis | None:
    """Return what `diagnose` says of two layers that differ; None if it finds no difference, or cannot compare them.

    Args:
        sides: the expected and the actual layer; adapters, or what `diagnose` accepts.
        call: the call in which they were compared, if the user passed one; drawn when None.
        tolerance: the tolerance of the check.
        seed: draws the call.
    """
    given = (None, None, None) if call is None else (call.inputs, call.initial_state, call.mask)
    inputs, initial_state, mask = given
    try:
        with np.errstate(all="ignore"):  # weights may hold anything
            diagnosis = diagnose(*sides, inputs, initial_state=initial_state, mask=mask, tolerance=tolerance, seed=seed)
    except GatewiseError:  # the verdict on the two layers stands without it
        return None
    return diagnosis if diagnosis.verdict in _TOLD else None


def join_diagnoses(diagnoses: Mapping[str, Diagnosis | None]) -> Diagnosis | None:
    """Return what is said of the parts of a layer as one diagnosis; None if nothing is said of any.

    Args:
        diagnoses: what is said of each part, by its name; "" is the name of a layer that has no parts.
    """
    told = {part: each for part, each in diagnoses.items() if each is not None}
    if set(told) <= {""}:
        return told.get("")
    if any(each.verdict != "named" for each in told.values()):
        notes = [f"{part}: {note}" for part, each in told.items() for note in (*each.notes, *map(_in_short, each.findings))]
        return Diagnosis("not named", notes=tuple(notes))
    findings = [replace(one, where={"in": part, **one.where}) for part, each in told.items() for one in each.findings]
    notes = [f"{part}: {note}" for part, each in told.items() for note in each.notes]
    return Diagnosis.of(findings, notes)


def _in_short(finding: Finding) -> str:
    return f"{finding.mistake}{f': {finding.found}' if finding.found else ''}"
