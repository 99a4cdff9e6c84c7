"""What a training of several sides left behind: a loss a step, and the distances between their parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.parity.difference import measure

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Trajectory:
    """The course of a training.

    Attributes:
        losses: by side, (step,); the loss before each step.
        measured_at: (measurement,); after how many steps the distances were measured, from 0, before the first.
        distances: by side other than the first, by parameter, (measurement,); the largest absolute difference from the first.
    """

    losses: Mapping[str, Array]
    measured_at: Array
    distances: Mapping[str, Mapping[str, Array]]

    @property
    def steps(self) -> int:
        """How many steps are finished."""
        return len(next(iter(self.losses.values())))

    def farthest(self, side: str) -> Array:
        """Give the largest distance over all parameters of a side from the first, (measurement,)."""
        farthest: Array = np.max(list(self.distances[side].values()), axis=0)
        return farthest

    def loss_gap(self, side: str) -> Array:
        """Give the absolute difference of a side's losses from the first's, (step,)."""
        first = next(iter(self.losses.values()))
        gap: Array = np.abs(self.losses[side] - first)
        return gap


class Recording:
    """A trajectory that is being made, and goes on from where a checkpoint left it."""

    def __init__(self, sides: Iterable[str], begun: Trajectory | None = None) -> None:
        """Begin, or go on.

        Args:
            sides: their names; the first is the one that the others are held against.
            begun: what is there already.
        """
        self._first, *self._others = sides
        names = (self._first, *self._others)
        self._losses = {name: list(begun.losses[name]) if begun else [] for name in names}
        self._measured_at = list(begun.measured_at) if begun else []
        self._distances: dict[str, dict[str, list[float]]] = {
            other: {name: list(values) for name, values in begun.distances[other].items()} if begun else {}
            for other in self._others
        }

    def add_losses(self, losses: Mapping[str, float]) -> None:
        """Record one step's losses, all sides'."""
        for name, loss in losses.items():
            self._losses[name].append(loss)

    def add_distances(self, step: int, parameters: Mapping[str, Mapping[str, Array]]) -> None:
        """Measure how far each side's parameters are from the first's, unless that was done after this step already."""
        if self._measured_at and self._measured_at[-1] == step:
            return
        self._measured_at.append(step)
        for other in self._others:
            for name, array in parameters[self._first].items():
                distance = measure(array, parameters[other][name]).max_abs
                self._distances[other].setdefault(name, []).append(distance)

    def trajectory(self) -> Trajectory:
        """Give what has been recorded so far."""
        return Trajectory(
            losses={name: np.array(values, np.float64) for name, values in self._losses.items()},
            measured_at=np.array(self._measured_at, np.int64),
            distances={
                other: {name: np.array(values, np.float64) for name, values in found.items()}
                for other, found in self._distances.items()
            },
        )


def to_arrays(trajectory: Trajectory) -> dict[str, Array]:
    """Flatten a trajectory to named arrays, as a file holds them: sides by their place."""
    flat = {f"losses/{place}": values for place, values in enumerate(trajectory.losses.values())}
    flat["measured_at"] = trajectory.measured_at
    for place, found in enumerate(trajectory.distances.values(), start=1):
        flat |= {f"distances/{place}/{name}": values for name, values in found.items()}
    return flat


def from_arrays(flat: Mapping[str, Array], sides: Iterable[str]) -> Trajectory:
    """Build the trajectory that `to_arrays` flattened.

    Args:
        flat: what it gave.
        sides: their names, in the same order.
    """
    names = list(sides)
    return Trajectory(
        losses={name: flat[f"losses/{place}"] for place, name in enumerate(names)},
        measured_at=flat["measured_at"],
        distances={name: below(flat, f"distances/{place}/") for place, name in enumerate(names) if place},
    )


def below(flat: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    """Give the arrays whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): array for name, array in flat.items() if name.startswith(prefix)}
