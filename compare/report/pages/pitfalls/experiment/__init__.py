"""Classic mistakes that raise no error, each with its size and with the line that mends it, executed as printed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from compare.report.arrays import distance, flat
from compare.report.pages.pitfalls.experiment import masks, results, weights
from compare.report.pages.pitfalls.experiment.pitfall import SETUP, Pitfall
from compare.report.results import Results, control, exact, measured
from compare.report.snippets import run_snippet

GROUPS: dict[str, tuple[Pitfall, ...]] = {
    "What a layer returns, and its axes": results.PITFALLS,
    "Weights, cells and activations": weights.PITFALLS,
    "Masks": masks.MASKS,
    "States": masks.STATES,
    "Modes and dtypes": masks.MODES,
}


def run(progress: Callable[[str], None]) -> Results:
    """Make every mistake, and mend it."""
    _, names = run_snippet(SETUP)
    found: dict[str, Any] = {}
    for group, pitfalls in GROUPS.items():
        progress(group)
        found[group] = {pitfall.title: run_pitfall(pitfall, names) for pitfall in pitfalls}
    return {"setup": exact(SETUP), "groups": found}


def run_pitfall(pitfall: Pitfall, names: dict[str, Any]) -> Results:
    """Run the three pieces of code of one pitfall in their order, each as if pasted after the one before.

    Args:
        pitfall: with its code.
        names: what the setup of the page has left behind; the pitfall's own names are its own.
    """
    _, own = run_snippet(pitfall.wanted, dict(names))
    sizes = {}
    for which, code in (("wrong", pitfall.wrong), ("right", pitfall.right)):
        _, own = run_snippet(code, own)
        sizes[which] = distance(flat(own["expected"]), flat(own["found"]))
    return {
        "why": exact(pitfall.why),
        "wanted code": exact(pitfall.wanted),
        "wrong code": exact(pitfall.wrong),
        "right code": exact(pitfall.right),
        "wrong": control(sizes["wrong"]),
        "right": measured(sizes["right"], pitfall.tolerance),
    }
