"""Training several sides on the same batches, measuring as they go, so that it can be interrupted and goes on where it was."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from compare.training.checkpoint import TrainingCheckpoint
from compare.training.trajectory import Recording, Trajectory, below, from_arrays, to_arrays
from frameworks.errors import GatewiseError, InvalidTypeError, InvalidValueError

Array = npt.NDArray[Any]

_TRAJECTORY = "trajectory"
_SIDES = "sides"


class Side(Protocol):
    """A model in training, in one framework, with its optimizer.

    What it does must follow from its parameters and the batches alone, with no random draws of its own.
    """

    def step(self, batch: Any) -> float:
        """Train one step, and give the loss before it."""

    def parameters(self) -> Mapping[str, Array]:
        """Give every parameter under a name and in a shape that all sides share; views will do."""

    def state(self) -> Mapping[str, Array]:
        """Give all that going on needs: parameters, the optimizer's slots, the step count."""

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state."""


class TrainingStoppedError(GatewiseError, ArithmeticError):
    """A loss that is not finite.

    Attributes:
        trajectory: all that was recorded, the step with that loss included.
    """

    trajectory: Trajectory


def train_together(
    sides: Mapping[str, Side],
    batch_of: Callable[[int], Any],
    steps: int,
    *,
    every: int = 10,
    checkpoint: TrainingCheckpoint | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Trajectory:
    """Train all sides on the same batches and record their losses and how far they are apart.

    Args:
        sides: by name; the first is the one that the others are held against.
        batch_of: gives the batch of a step, counted from 0; the same one whenever it is asked.
        steps: how many in all, those of the checkpoint included.
        every: how many steps between two measurements of the distances.
        checkpoint: where to go on from, if something is there, and what to write now and then, at the end, and when
            interrupted (SIGINT, SIGTERM), after the step that is being made.
        progress: is told how many steps are finished, of how many.

    Raises:
        GatewiseError: for parameters that do not pair up and for a checkpoint that is damaged or another training's, before the
            first step; for a loss that is not finite, with all losses until then in the error and beside the checkpoint.
        KeyboardInterrupt: when interrupted, once the checkpoint is written.
    """
    if steps < 0 or every < 1:
        raise InvalidValueError.because(
            "steps and every",
            must="be at least 0 and 1",
            but=f"are {steps} and {every}",
            remedy="Give the number of steps, and of those between two measurements.",
        )
    recording, done = _begin(sides, checkpoint, steps)
    if not done:
        _save(checkpoint, sides, recording)  # what cannot be written shows before the first step
    saved = time.monotonic()
    with _interruptions() as interrupted:
        while done < steps and not interrupted:
            if done % every == 0:
                _measure(sides, recording, done)
            with _saving_on_failure(checkpoint, sides, recording):
                batch = batch_of(done)
            losses = {name: float(side.step(batch)) for name, side in sides.items()}
            recording.add_losses(losses)
            _require_finite(losses, recording.trajectory, checkpoint)
            done += 1
            if progress is not None:
                progress(done, steps)
            if checkpoint is not None and time.monotonic() - saved > checkpoint.seconds:
                _save(checkpoint, sides, recording)
                saved = time.monotonic()
        if done == steps:
            _measure(sides, recording, done)
        _save(checkpoint, sides, recording)
    if interrupted:
        raise KeyboardInterrupt
    return recording.trajectory()


def _begin(sides: Mapping[str, Side], checkpoint: TrainingCheckpoint | None, steps: int) -> tuple[Recording, int]:
    """Give what is recorded already, and how many steps that are, every side being where it was then."""
    if checkpoint is not None and not isinstance(checkpoint, TrainingCheckpoint):
        raise InvalidTypeError.because(
            "checkpoint",
            must="be a TrainingCheckpoint",
            but=f"is {checkpoint!r}",
            remedy="Make one: TrainingCheckpoint(path, settings={}).",
        )
    arrays = checkpoint.load(sides) if checkpoint is not None else None
    begun = from_arrays(below(arrays, f"{_TRAJECTORY}/"), sides) if arrays is not None else None
    if checkpoint is not None and arrays is not None and begun is not None:
        if begun.steps > steps:
            raise InvalidValueError.because(
                f"the checkpoint {checkpoint.path}",
                must=f"be of no more than the {steps} steps asked for",
                but=f"is of {begun.steps}",
                remedy="Ask for as many, or delete it to begin anew.",
            )
        for place, side in enumerate(sides.values()):
            side.restore(below(arrays, f"{_SIDES}/{place}/"))
    _require_pairs(sides)
    return Recording(sides, begun), begun.steps if begun is not None else 0


def _measure(sides: Mapping[str, Side], recording: Recording, done: int) -> None:
    recording.add_distances(done, {name: side.parameters() for name, side in sides.items()})


def _require_pairs(sides: Mapping[str, Side]) -> None:
    (first, one), *others = ((name, side.parameters()) for name, side in sides.items())
    for name, other in others:
        shapes = [{key: np.shape(array) for key, array in found.items()} for found in (one, other)]
        unpaired = sorted(key for key in shapes[0].keys() | shapes[1].keys() if shapes[0].get(key) != shapes[1].get(key))
        if unpaired:
            key = unpaired[0]
            raise InvalidValueError.because(
                f"the parameters of {name}",
                must=f"pair up with those of {first} in names and shapes",
                but=f"{key} is {shapes[1].get(key, 'not there')} where {first}'s is {shapes[0].get(key, 'not there')}"
                + (f", and {len(unpaired) - 1} others do not either" if unpaired[1:] else ""),
                remedy="Build both sides from the same sizes, and name their parameters alike.",
            )


def _require_finite(
    losses: Mapping[str, float], recorded: Callable[[], Trajectory], checkpoint: TrainingCheckpoint | None
) -> None:
    wrong = [name for name, loss in losses.items() if not math.isfinite(loss)]
    if not wrong:
        return
    trajectory = recorded()
    kept = "the error's trajectory"
    if checkpoint is not None:
        kept = f"{checkpoint.keep_beside('stopped', to_arrays(trajectory))}, and in {kept}"
    error = TrainingStoppedError.because(
        f"the loss of {' and of '.join(wrong)} at step {trajectory.steps - 1}",
        must="be a finite number",
        but=f"is {losses[wrong[0]]}",
        remedy=f"Train with a smaller learning rate or clipped gradients. All losses until then are in {kept}.",
    )
    error.trajectory = trajectory
    raise error


@contextmanager
def _saving_on_failure(
    checkpoint: TrainingCheckpoint | None, sides: Mapping[str, Side], recording: Recording
) -> Iterator[None]:
    try:
        yield
    except BaseException:
        _save(checkpoint, sides, recording)
        raise


def _save(checkpoint: TrainingCheckpoint | None, sides: Mapping[str, Side], recording: Recording) -> None:
    if checkpoint is None:
        return
    arrays = {f"{_TRAJECTORY}/{name}": array for name, array in to_arrays(recording.trajectory()).items()}
    for place, side in enumerate(sides.values()):
        arrays |= {f"{_SIDES}/{place}/{name}": array for name, array in side.state().items()}
    checkpoint.save(arrays, sides)


@contextmanager
def _interruptions() -> Iterator[list[int]]:
    """Collect the signals that would end the process, so that a step is finished first; only the main thread can."""
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return
    # What the caller ignores, as in the background, stays ignored.
    heeded = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, lambda found, _: caught.append(found)) for number in heeded}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
