"""The record of a training of several sides: one loss per step, and the distances between their parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.models.comparison import ModelComparison
from compare.parity.difference import measure
from frameworks.showing import Shown, markdown_blocks, markdown_list, markdown_table

Array = npt.NDArray[Any]


@dataclass(frozen=True, repr=False)
class Trajectory(Shown):
    """The course of a training.

    Attributes:
        losses: the loss of each side before each step, (step,).
        measured_at: the number of steps before each measurement of the distances, (measurement,); 0 is before the first step.
        distances: the largest absolute difference of each parameter from the first side, (measurement,), by side and parameter.
        notes: what differed before the first step, what was assumed, and what was not compared.
        comparison: the model and its port side by side on the batch of the first step whose predictions differ; None if there
            is no such step.

    Example:
        >>> import numpy as np
        >>> from gatewise import Trajectory
        >>> losses = {"keras": np.array([1.0, 0.5]), "pytorch": np.array([1.0, 0.75])}
        >>> distances = {"pytorch": {"dense.kernel": np.array([0.0, 0.1]), "dense.bias": np.array([0.0, 0.2])}}
        >>> trajectory = Trajectory(losses, np.array([0, 2]), distances)
        >>> trajectory.farthest("pytorch").tolist(), trajectory.loss_gap("pytorch").tolist()
        ([0.0, 0.2], [0.0, 0.25])
        >>> print(trajectory)
        2 steps.
        Largest difference of the losses: pytorch 2.5e-01 at step 1.
        Largest difference of a parameter after 2 steps: pytorch 2.0e-01, dense.bias.
    """

    losses: Mapping[str, Array]
    measured_at: Array
    distances: Mapping[str, Mapping[str, Array]]
    notes: tuple[str, ...] = ()
    comparison: ModelComparison | None = None

    @property
    def steps(self) -> int:
        """The number of finished steps."""
        return len(next(iter(self.losses.values())))

    def farthest(self, side: str) -> Array:
        """Return the largest distance of any of a side's parameters from the first side, (measurement,)."""
        farthest: Array = np.max(list(self.distances[side].values()), axis=0)
        return farthest

    def loss_gap(self, side: str) -> Array:
        """Return the absolute difference of a side's losses from the first side's, (step,)."""
        first = next(iter(self.losses.values()))
        gap: Array = np.abs(self.losses[side] - first)
        return gap

    def __str__(self) -> str:
        """Return the largest differences of each side, and the notes."""
        lines = [f"{self.steps} steps."]
        for side, loss, step, distance, name in self._largest():
            if loss:
                lines.append(f"Largest difference of the losses: {side} {loss} at step {step}.")
            if distance:
                lines.append(
                    f"Largest difference of a parameter after {self.measured_at[-1]} steps: {side} {distance}, {name}."
                )
        lines += [*(["Notes:"] if self.notes else []), *(f"- {note}" for note in self.notes)]
        return "\n".join(lines if self.comparison is None else [*lines, f"Where they part, {self.comparison}"])

    def to_markdown(self) -> str:
        """Return the largest differences of each side as a table, and the notes."""
        after = f"of a parameter after {self.measured_at[-1]} steps" if len(self.measured_at) else "of a parameter"
        headers = ("side", "largest difference of the losses", "at step", f"largest difference {after}", "parameter")
        comparison = "" if self.comparison is None else f"Where they part, {self.comparison.to_markdown().rstrip()}"
        table = markdown_table(headers, self._largest())
        return markdown_blocks(f"{self.steps} steps", table, markdown_list(self.notes), comparison)

    def _in_a_line(self) -> str:
        sides = [
            f"{side} losses up to {loss or '-'}, parameters up to {distance or '-'} off"
            for side, loss, _, distance, _ in self._largest()
        ]
        notes = ["with notes"] if self.notes else []
        return f"{type(self).__name__} of {self.steps} steps: {'; '.join([*sides, *notes])}"

    def _largest(self) -> Iterator[tuple[str, str, str, str, str]]:
        """Yield each side, its largest difference of the losses and its step, and of a parameter; "" if not measured."""
        for side, by_parameter in self.distances.items():
            gaps = self.loss_gap(side)
            loss, step = (f"{np.max(gaps):.1e}", str(np.argmax(gaps))) if len(gaps) else ("", "")
            last = {name: values[-1] for name, values in by_parameter.items() if len(values)}
            name = max(last, key=lambda each: last[each]) if last and len(self.measured_at) else ""
            yield side, loss, step, f"{last[name]:.1e}" if name else "", name


class Recording:
    """A trajectory in the making, which may continue one from a checkpoint."""

    def __init__(self, sides: Iterable[str], begun: Trajectory | None = None) -> None:
        """Begin, or continue.

        Args:
            sides: the names of the sides; all others are compared with the first.
            begun: the trajectory to continue.
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
        """Record the losses of all sides in one step."""
        for name, loss in losses.items():
            self._losses[name].append(loss)

    def add_distances(self, step: int, parameters: Mapping[str, Mapping[str, Array]]) -> None:
        """Measure the distance of each side's parameters from the first side's, at most once per step."""
        if self._measured_at and self._measured_at[-1] == step:
            return
        self._measured_at.append(step)
        for other in self._others:
            for name, array in parameters[self._first].items():
                distance = measure(array, parameters[other][name]).max_abs
                self._distances[other].setdefault(name, []).append(distance)

    def trajectory(self) -> Trajectory:
        """Return the record so far."""
        return Trajectory(
            losses={name: np.array(values, np.float64) for name, values in self._losses.items()},
            measured_at=np.array(self._measured_at, np.int64),
            distances={
                other: {name: np.array(values, np.float64) for name, values in by_parameter.items()}
                for other, by_parameter in self._distances.items()
            },
        )


def to_arrays(trajectory: Trajectory) -> dict[str, Array]:
    """Flatten a trajectory to named arrays for a file, with numbers for the sides."""
    flat = {f"losses/{place}": values for place, values in enumerate(trajectory.losses.values())}
    flat["measured_at"] = trajectory.measured_at
    for place, by_parameter in enumerate(trajectory.distances.values(), start=1):
        flat |= {f"distances/{place}/{name}": values for name, values in by_parameter.items()}
    return flat


def from_arrays(flat: Mapping[str, Array], sides: Iterable[str]) -> Trajectory:
    """Build the trajectory that `to_arrays` flattened.

    Args:
        flat: the named arrays.
        sides: the names of the sides, in the same order.
    """
    names = list(sides)
    return Trajectory(
        losses={name: flat[f"losses/{place}"] for place, name in enumerate(names)},
        measured_at=flat["measured_at"],
        distances={name: below(flat, f"distances/{place}/") for place, name in enumerate(names) if place},
    )


def below(flat: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    """Return the arrays whose names begin with a prefix, under the rest of the name."""
    return {name.removeprefix(prefix): array for name, array in flat.items() if name.startswith(prefix)}
