"""What is promised of `diagnose`, and the summary of a run that shows whether it is kept."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tabulate import tabulate

from tests.acceptance.diagnose.running import Outcome

SHARES = {"one": 0.98, "two": 0.95, "three": 0.9, "black box": 0.95, "large": 0.95, "right": 1.0, "outside": 1.0}
"""Which share of each kind of draws comes out as expected."""
EACH = 0.8
"""Which share of the draws of any one mistake is named, as a module and as a black box together."""

SECONDS = {128: 2.0, 256: 3.0, 1024: 5.0}
"""How long half of the diagnoses may take, by the largest hidden size."""

Summary = Mapping[str, Any]


def summarise(outcomes: Iterable[Outcome], seed: int) -> Summary:
    """Return counts by kind, by mistake and by fault, and the versions."""
    outcomes = list(outcomes)
    kinds: dict[str, dict[str, int]] = {}
    mistakes: dict[str, dict[str, int]] = {}
    faults: dict[str, dict[str, int]] = {}
    for each in outcomes:
        _count(kinds.setdefault(each.kind, {}), draws=1, kept=each.kept, twin=each.kept and not each.first)
        if each.kind == "outside":
            _count(faults.setdefault(each.about, {}), draws=1, not_named=each.kept)
        elif each.kind == "right":
            _count(mistakes.setdefault(each.about, {}), right=1, right_kept=each.kept)
        elif each.kind in ("one", "black box"):
            _count(mistakes.setdefault(each.about, {}), draws=1, named=each.kept, twin=each.kept and not each.first)
    numbered = [each.undone for each in outcomes if each.kept and each.undone is not None]
    return {
        "seed": seed,
        "versions": {name: version(name) for name in ("keras", "tensorflow", "torch", "numpy")}
        | {"python": platform.python_version()},
        "kinds": kinds,
        "mistakes": dict(sorted(mistakes.items())),
        "outside": dict(sorted(faults.items())),
        "undone": {"draws": len(numbered), "kept": sum(numbered)},
        "seconds": _seconds(outcomes),
    }


def _count(counts: dict[str, int], **more: int) -> None:
    for name, value in more.items():
        counts[name] = counts.get(name, 0) + int(value)


def _seconds(outcomes: list[Outcome]) -> dict[str, dict[str, float]]:
    """Return the median and the longest time of a diagnosis, by the largest hidden size."""
    found, least = {}, 0
    for most in SECONDS:
        times = sorted(each.seconds for each in outcomes if least < each.units <= most)
        if times:
            found[str(most)] = {"median": round(times[len(times) // 2], 2), "longest": round(times[-1], 2)}
        least = most
    return found


def broken(summary: Summary) -> list[str]:
    """Return a sentence for each promise that is not kept."""
    complaints = [
        f"{kind}: {counts['kept']} of {counts['draws']} as expected, promised {SHARES[kind]:.0%}"
        for kind, counts in summary["kinds"].items()
        if counts["kept"] < SHARES[kind] * counts["draws"]
    ]
    complaints += [
        f"{name}: {counts['named']} of {counts['draws']} named, promised {EACH:.0%}"
        for name, counts in summary["mistakes"].items()
        if counts.get("named", 0) < EACH * counts.get("draws", 0)
    ]
    complaints += [
        f"{units} units: half of the diagnoses take {times['median']} s and more, promised {SECONDS[int(units)]} s"
        for units, times in summary["seconds"].items()
        if times["median"] > SECONDS[int(units)]
    ]
    undone = summary["undone"]
    if undone["kept"] < undone["draws"]:
        complaints.append(
            f"{undone['draws'] - undone['kept']} of {undone['draws']} ports are not right once all findings are undone"
        )
    return complaints


def to_text(summary: Summary) -> str:
    """Return the summary as tables."""
    by_kind = [
        (kind, each["draws"], each["kept"], each["twin"], f"{SHARES[kind]:.0%}") for kind, each in summary["kinds"].items()
    ]
    by_mistake = [
        (name, *(each.get(column, 0) for column in ("draws", "named", "twin", "right", "right_kept")))
        for name, each in summary["mistakes"].items()
    ]
    by_fault = [(name, each["draws"], each["not_named"]) for name, each in summary["outside"].items()]
    return "\n\n".join(
        (
            tabulate(by_kind, ("kind", "draws", "as expected", "by a twin", "promised")),
            tabulate(by_mistake, ("mistake", "draws", "named", "by a twin", "right ports", "found right")),
            tabulate(by_fault, ("fault that is no mistake of the table", "draws", "not named")),
            f"undone: {summary['undone']}, seconds: {summary['seconds']}",
        )
    )


def write(summary: Summary, path: Path) -> None:
    """Write the summary as JSON."""
    path.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
