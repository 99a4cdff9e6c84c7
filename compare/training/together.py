"""Training several sides on the same batches with regular measurements; it can be interrupted and resumed."""

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

    A step must depend only on the parameters, the batch and the number of the step.
    """

    def step(self, batch: Any) -> float:
        """Train one step, and return the loss before it."""

    def parameters(self) -> Mapping[str, Array]:
        """Return every parameter under a name and in a shape that all sides share; views are fine."""

    def state(self) -> Mapping[str, Array]:
        """Return the complete state: parameters, the optimizer's slots, the step count."""

    def restore(self, state: Mapping[str, Array]) -> None:
        """Restore a state."""


class TrainingStoppedError(GatewiseError, ArithmeticError):
    """Raised for a loss that is not finite.

    Attributes:
        trajectory: everything recorded so far, including the step with that loss.
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
    watch: Callable[[int, Any, Mapping[str, float]], None] | None = None,
) -> Trajectory:
    """Train all sides on the same batches, and record their losses and distances.

    Args:
        sides: the sides by name; all others are compared with the first.
        batch_of: a function from a step, counted from 0, to its batch, always the same for the same step.
        steps: the total number of steps, including those of the checkpoint.
        every: the number of steps between two measurements of the distances.
        checkpoint: the file to resume from if it exists. It is written from time to time, at the end, and on an interruption
            (SIGINT, SIGTERM) once the current step is finished.
        progress: a function called after each step with the numbers of finished steps and of all steps.
        watch: a function called after each step with its number, its batch and the losses by side; it leaves the sides as they
            are.

    Returns:
        The losses of each side, and the distances of the others from the first.

    Raises:
        GatewiseError: before the first step, for parameters that do not pair up, and for a checkpoint that is damaged or from
            another training; for a loss that is not finite, with all losses so far in the error and beside the checkpoint.
        KeyboardInterrupt: when interrupted, once the checkpoint is written.

    Example:
        >>> import numpy as np
        >>> from compare.training import train_together
        >>> class Descent:
        ...     def __init__(self, rate):
        ...         self.rate, self.weight = rate, np.array([1.0])
        ...     def step(self, batch):
        ...         loss = float((self.weight**2).sum())
        ...         self.weight = self.weight * (1 - 2 * self.rate)
        ...         return loss
        ...     def parameters(self):
        ...         return {"weight": self.weight}
        ...     def state(self):
        ...         return {"weight": self.weight}
        ...     def restore(self, state):
        ...         self.weight = state["weight"]
        >>> trajectory = train_together({"slow": Descent(0.25), "fast": Descent(0.5)}, lambda step: None, 2, every=1)
        >>> trajectory.distances["fast"]["weight"].tolist()
        [0.0, 0.5, 0.25]
    """
    if steps < 0 or every < 1:
        raise InvalidValueError.because(
            "steps and every",
            must="be at least 0 and 1",
            but=f"are {steps} and {every}",
            remedy="Pass the number of steps, and the number of steps between two measurements.",
        )
    recording, done = _begin(sides, checkpoint, steps)
    if not done:
        _save(checkpoint, sides, recording)  # a path that cannot be written fails before the first step
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
            if watch is not None:
                watch(done, batch, losses)
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
    """Restore the checkpoint into every side; return the recording and the number of steps already done."""
    if checkpoint is not None and not isinstance(checkpoint, TrainingCheckpoint):
        raise InvalidTypeError.because(
            "checkpoint",
            must="be a TrainingCheckpoint",
            but=f"is {checkpoint!r}",
            remedy="Pass TrainingCheckpoint(path, settings={}).",
        )
    arrays = checkpoint.load(sides) if checkpoint is not None else None
    begun = from_arrays(below(arrays, f"{_TRAJECTORY}/"), sides) if arrays is not None else None
    if checkpoint is not None and arrays is not None and begun is not None:
        if begun.steps > steps:
            raise InvalidValueError.because(
                f"the checkpoint {checkpoint.path}",
                must=f"have at most the requested {steps} steps",
                but=f"has {begun.steps}",
                remedy="Ask for at least as many, or delete it to start anew.",
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
        shapes = [{key: np.shape(array) for key, array in arrays.items()} for arrays in (one, other)]
        unpaired = sorted(key for key in shapes[0].keys() | shapes[1].keys() if shapes[0].get(key) != shapes[1].get(key))
        if unpaired:
            key = unpaired[0]
            raise InvalidValueError.because(
                f"the parameters of {name}",
                must=f"pair up with those of {first} in names and shapes",
                but=f"{key} is {shapes[1].get(key, 'absent')} where {first}'s is {shapes[0].get(key, 'absent')}"
                + (f", and {len(unpaired) - 1} others differ too" if unpaired[1:] else ""),
                remedy="Build both sides with the same sizes, and give their parameters the same names.",
            )


def _require_finite(
    losses: Mapping[str, float], recorded: Callable[[], Trajectory], checkpoint: TrainingCheckpoint | None
) -> None:
    wrong = [name for name, loss in losses.items() if not math.isfinite(loss)]
    if not wrong:
        return
    trajectory = recorded()
    places = "the error's trajectory"
    if checkpoint is not None:
        places = f"{checkpoint.keep_beside('stopped', to_arrays(trajectory))} and in {places}"
    error = TrainingStoppedError.because(
        f"the loss of {' and of '.join(wrong)} at step {trajectory.steps - 1}",
        must="be a finite number",
        but=f"is {losses[wrong[0]]}",
        remedy=f"Train with a smaller learning rate or clipped gradients. All losses so far are in {places}.",
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
    """Collect the signals that would end the process, to finish the step first; only the main thread can collect them."""
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return
    # A signal that the process ignores, as in the background, stays ignored.
    heeded = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, lambda received, _: caught.append(received)) for number in heeded}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
