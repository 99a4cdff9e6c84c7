"""Curves of a training as a few numbers that a figure is drawn from and results.json can hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from compare.report.results import Value, environment

Array = npt.NDArray[Any]

_DIGITS = 4


def averaged(values: Array, points: int = 60) -> Value:
    """Give the means of equal stretches of a curve, one value a step, with the steps that the stretches end with.

    Args:
        values: (step,)
        points: how many stretches, where there are as many steps.
    """
    stretches = np.array_split(np.asarray(values, np.float64), min(points, len(values)))
    ends = np.cumsum([len(stretch) for stretch in stretches])
    return environment([[int(end), rounded(stretch.mean())] for end, stretch in zip(ends, stretches, strict=True)])


def picked(steps: Array, values: Array, points: int = 60) -> Value:
    """Give some of the values that were measured after some steps, the first and the last among them.

    Args:
        steps: (measurement,)
        values: (measurement,)
        points: how many, where there are as many.
    """
    places = np.unique(np.linspace(0, len(steps) - 1, min(points, len(steps))).astype(int))
    return environment([[int(steps[place]), rounded(values[place])] for place in places])


def rounded(value: float) -> float:
    """Round to four digits."""
    return float(f"{value:.{_DIGITS}g}")
