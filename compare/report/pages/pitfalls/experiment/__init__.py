"""Classic mistakes that raise no error, each with its size and its fix, executed as printed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from compare.report.arrays import distance, flat
from compare.report.pages.pitfalls.experiment import masks, results, weights
from compare.report.pages.pitfalls.experiment.pitfall import SETUP, Group, Pitfall
from compare.report.results import Results, control, exact, measured
from compare.report.snippets import run_snippet

GROUPS: tuple[Group, ...] = (
    Group("results", "Return values and axes", results.PITFALLS),
    Group("weights", "Weights, cells and activations", weights.PITFALLS),
    Group("masks", "Masks", masks.MASKS),
    Group("states", "States", masks.STATES),
    Group("modes", "Modes and dtypes", masks.MODES),
)


def run(progress: Callable[[str], None]) -> Results:
    """Make every mistake, and fix it."""
    _, names = run_snippet(SETUP)
    groups: dict[str, Any] = {}
    for group in GROUPS:
        progress(group.title)
        pitfalls = {pitfall.name: run_pitfall(pitfall, names) for pitfall in group.pitfalls}
        groups[group.name] = {"title": exact(group.title), "pitfalls": pitfalls}
    return {"setup": exact(SETUP), "groups": groups}


def run_pitfall(pitfall: Pitfall, names: dict[str, Any]) -> Results:
    """Run the three pieces of code of a pitfall in order, each as if pasted after the previous one.

    Args:
        pitfall: the pitfall with its code.
        names: the names defined by the page's setup; the pitfall adds none to them.
    """
    _, own = run_snippet(pitfall.wanted, dict(names))
    sizes = {}
    for which, code in (("wrong", pitfall.wrong), ("right", pitfall.right)):
        _, own = run_snippet(code, own)
        sizes[which] = distance(flat(own["expected"]), flat(own["found"]))
    return {
        "title": exact(pitfall.title),
        "why": exact(pitfall.why),
        "wanted code": exact(pitfall.wanted),
        "wrong code": exact(pitfall.wrong),
        "right code": exact(pitfall.right),
        "wrong": control(sizes["wrong"]),
        "right": measured(sizes["right"], pitfall.tolerance),
    }
