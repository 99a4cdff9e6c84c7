"""Each mistake that `diagnose` names, made in a port of the corpus from ten seeds, diagnosed, and mended."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from compare import MISTAKES, Diagnosis, diagnose
from compare.report.arrays import distance
from compare.report.pages.mistakes.experiment.silent import SEEDS, SETUP, SILENT, run_silent
from compare.report.pages.mistakes.experiment.telling import GROUPS
from compare.report.results import Results, control, exact, measured
from compare.report.studies.wrong_ports.calling import TOLERANCE, call_port, call_right, is_recurrent
from compare.report.studies.wrong_ports.corpus import Entry, load

_IN_A_SECOND_CALL = {"state-kept", "state-not-kept"}
_PLACE = "../compare/report/studies/wrong_ports"


def run(progress: Callable[[str], None]) -> Results:
    """Make every mistake, name it, and mend it."""
    shown: dict[str, Entry] = {}
    for entry in load():
        if len(entry.mistakes) == 1:
            shown.setdefault(entry.mistakes[0], entry)
    groups: dict[str, Any] = {}
    for title, mistakes in GROUPS.items():
        progress(title)
        groups[title] = {name: {"how to tell": exact(text), **run_entry(shown[name], name)} for name, text in mistakes.items()}
    progress("beside the layer")
    return {
        "groups": groups,
        "setup": exact(SETUP),
        "silent": {name: run_silent(silent) for name, silent in SILENT.items()},
    }


def run_entry(entry: Entry, mistake: str) -> Results:
    """Measure a wrong port and its right one from ten seeds, and diagnose the wrong one from the first."""
    wrong, right = zip(*(_errors(entry, seed) for seed in SEEDS), strict=True)
    _seed(SEEDS[0])
    layer = entry.right(SEEDS[0])
    diagnosis = diagnose(layer, entry.wrong(layer), **entry.call(SEEDS[0]))
    return {
        "sentence": exact(MISTAKES[mistake]),
        "symptom": exact(entry.symptom),
        "source": exact(f"{_PLACE}/{entry.path.parent.name}/{entry.path.name}"),
        "wrong lines": exact("\n".join(entry.wrong_lines)),
        "right lines": exact("\n".join(entry.right_lines)),
        "least": _size(min(wrong)),
        "most": _size(max(wrong)),
        "right": measured(max(right), TOLERANCE),
        "named": exact(any(mistake in (each.mistake, *each.twins) for each in diagnosis.findings)),
        "diagnosis": _tree(diagnosis),
    }


def _errors(entry: Entry, seed: int) -> Iterator[float]:
    """Yield how far the wrong port is off, and how far the right one."""
    _seed(seed)
    layer, arguments = entry.right(seed), entry.call(seed)
    calls = range(2 if entry.mistakes[0] in _IN_A_SECOND_CALL else 1)
    ports = [entry.wrong(layer), entry.correct(layer)]
    expected = [call_right(layer, arguments) for _ in calls]
    for port in ports:
        kept = slice(1 if is_recurrent(port) else None)  # a layer returns states too
        found = [call_port(port, arguments, entry.target) for _ in calls]
        yield max(distance(one[kept], other[kept]) for one, other in zip(expected, found, strict=True))


def _seed(seed: int) -> None:
    """Seed both frameworks, whose initial values are left in the arrays that a port does not copy."""
    import keras
    import torch

    keras.utils.set_random_seed(seed)
    torch.manual_seed(seed)


def _size(error: float) -> Any:
    if math.isnan(error):
        return exact("NaN")
    return control(error) if math.isfinite(error) else exact("another shape")


def _tree(diagnosis: Diagnosis) -> Results:
    findings: dict[str, Any] = {}
    for number, each in enumerate(diagnosis.findings):
        texts = {name: exact(getattr(each, name)) for name in ("mistake", "found", "must_be", "fix")}
        finding = {**texts, "where": exact(dict(each.where)), "twins": exact(list(each.twins))}
        for name, error in (("before", each.error_before), ("after", each.error_after)):
            if error is not None and math.isfinite(error):
                finding[name] = control(error) if error > TOLERANCE else measured(error, TOLERANCE)
        findings[str(number)] = finding
    return {"verdict": exact(diagnosis.verdict), "findings": findings, "notes": exact(list(diagnosis.notes))}
