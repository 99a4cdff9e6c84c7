"""Training curves reduced to a few numbers, which results.json can hold and a figure can draw."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from compare.report.results import Value, environment

Array = npt.NDArray[Any]

_DIGITS = 4


def averaged(values: Array, points: int = 60) -> Value:
    """Average a curve over stretches of equal length, each labelled with its last step.

    Args:
        values: (step,).
        points: number of stretches, if there are that many steps.
    """
    stretches = np.array_split(np.asarray(values, np.float64), min(points, len(values)))
    ends = np.cumsum([len(stretch) for stretch in stretches])
    return environment([[int(end), rounded(stretch.mean())] for end, stretch in zip(ends, stretches, strict=True)])


def picked(steps: Array, values: Array, points: int = 60) -> Value:
    """Keep some of the measurements, always including the first and the last.

    Args:
        steps: (measurement,), the step after which each was made.
        values: (measurement,).
        points: number of measurements to keep, if there are that many.
    """
    places = np.unique(np.linspace(0, len(steps) - 1, min(points, len(steps))).astype(int))
    return environment([[int(steps[place]), rounded(values[place])] for place in places])


def rounded(value: float) -> float:
    """Round to four digits."""
    return float(f"{value:.{_DIGITS}g}")
