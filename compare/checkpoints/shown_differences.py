"""Differences of recurrent layers, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from compare.checkpoints.array_differences import size_of_error
from compare.parity.verdict import Against, Comparison

_WAYS: Mapping[object, str] = {0: "the forward direction", 1: "the backward direction"}


def describe_failed(failed: Sequence[Comparison], hidden: frozenset[str]) -> Iterator[str]:
    """Yield what the failed comparisons say: the weights that differ most, and the effect on the results."""
    weights = [each for each in failed if each.kind == "weights"]
    results = [each for each in failed if each.kind == "result" and each.against is Against.EXPECTED]
    if weights:
        others = f", and {len(weights) - 1} more of its arrays differ" if len(weights) > 1 else ""
        yield f"{shown_difference(max(weights, key=_severity), hidden)}{others}"
    effect = max(results, key=lambda each: (each.array == "output", size_of_error(each.max_abs)), default=None)
    if effect is not None:
        yield shown_difference(effect, hidden)


def _severity(comparison: Comparison) -> tuple[bool, float]:
    """Return what to sort by: a wrong shape is worse than any number."""
    return comparison.other_shape is not None, size_of_error(comparison.max_abs)


def shown_difference(comparison: Comparison, hidden: frozenset[str] = frozenset()) -> str:
    """Return a difference in one phrase, such as `kernel is 0.31 off at gate update, input 3, unit 1`.

    Args:
        comparison: a comparison that failed.
        hidden: the axes that are left out of the place.
    """
    name = comparison.name.partition(" of ")[0].replace("_", " ")
    if comparison.other_shape is not None:
        return f"{name} has shape {comparison.other_shape}, not {comparison.shape}"
    axes = {axis: index for axis, index in (comparison.where or {}).items() if axis not in hidden}
    place = ", ".join(_WAYS[index] if axis == "direction" else f"{axis} {index}" for axis, index in axes.items())
    error = "holds NaN" if math.isnan(comparison.max_abs) else f"is {comparison.max_abs:.2g} off"
    return f"{name} {error}{f' at {place}' if place else ''}"
