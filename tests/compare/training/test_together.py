"""Trainings side by side are recorded, and neither an interruption nor a damaged file loses a finished step."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from compare.training import TrainingCheckpoint, TrainingStoppedError, Trajectory, train_together
from frameworks import GatewiseError

Array = npt.NDArray[Any]


class Slope:
    """Descends |x - batch|^2 / 2 with momentum: a training whose steps can be worked out by hand."""

    def __init__(self, start: float, name: str = "x", rate: float = 0.1) -> None:
        self.x, self.velocity, self.rate, self.name = np.array([start, 2 * start]), np.zeros(2), rate, name

    def step(self, batch: float) -> float:
        with np.errstate(over="ignore"):
            loss = float(((self.x - batch) ** 2).sum() / 2)
            self.velocity = 0.9 * self.velocity - self.rate * (self.x - batch)
        self.x = self.x + self.velocity
        return loss

    def parameters(self) -> Mapping[str, Array]:
        return {self.name: self.x}

    def state(self) -> Mapping[str, Array]:
        return {"x": self.x, "velocity": self.velocity}

    def restore(self, state: Mapping[str, Array]) -> None:
        self.x, self.velocity = state["x"], state["velocity"]


def sides() -> dict[str, Slope]:
    return {"one": Slope(1.0), "other": Slope(1.5)}


def batch_of(step: int) -> float:
    return (step * 7 % 11) / 11


def same(one: Trajectory, other: Trajectory) -> bool:
    pairs = [(one.losses[name], other.losses[name]) for name in ("one", "other")]
    pairs += [(one.measured_at, other.measured_at), (one.distances["other"]["x"], other.distances["other"]["x"])]
    return all(np.array_equal(first, second) for first, second in pairs)


def test_losses_and_distances_are_those_worked_out_by_hand() -> None:
    trajectory = train_together({"one": Slope(1.0, rate=0.5), "other": Slope(2.0, rate=0.5)}, lambda step: 0.0, 2, every=1)
    assert trajectory.losses["one"].tolist() == [2.5, 0.625]  # (1 + 4) / 2; x is halved by the first step
    assert trajectory.measured_at.tolist() == [0, 1, 2]
    # From (1, 2) and (2, 4), x becomes x - x / 2 and then x / 2 - 0.9 x / 2 - x / 4.
    np.testing.assert_allclose(trajectory.distances["other"]["x"], [2.0, 1.0, 2 * 0.2], rtol=1e-15)
    np.testing.assert_allclose(trajectory.loss_gap("other"), [7.5, 1.875], rtol=1e-15)


def test_distances_are_measured_at_the_interval_and_at_the_end() -> None:
    assert train_together(sides(), batch_of, 25, every=10).measured_at.tolist() == [0, 10, 20, 25]


def counted() -> tuple[list[int], Callable[[int], float]]:
    asked: list[int] = []

    def batch(step: int) -> float:
        asked.append(step)
        return batch_of(step)

    return asked, batch


def interrupting(at: int) -> Any:
    def batch(step: int) -> float:
        if step == at:
            os.kill(os.getpid(), signal.SIGTERM)
        return batch_of(step)

    return batch


def test_an_interrupted_training_finishes_its_step_and_resumes_to_the_same_end(tmp_path: Path) -> None:
    checkpoint = TrainingCheckpoint(tmp_path / "run.npz", {"rate": 0.1})
    with pytest.raises(KeyboardInterrupt):
        train_together(sides(), interrupting(13), 30, checkpoint=checkpoint)
    asked, batch = counted()
    resumed = train_together(sides(), batch, 30, checkpoint=checkpoint)
    assert asked == list(range(14, 30))
    assert same(resumed, train_together(sides(), batch_of, 30))


def test_a_failing_batch_costs_no_finished_step(tmp_path: Path) -> None:
    checkpoint = TrainingCheckpoint(tmp_path / "run.npz")

    def failing(step: int) -> float:
        if step == 7:
            raise OSError("no such file")
        return batch_of(step)

    with pytest.raises(OSError, match="no such file"):
        train_together(sides(), failing, 30, checkpoint=checkpoint)
    asked, batch = counted()
    train_together(sides(), batch, 9, checkpoint=checkpoint)
    assert asked == [7, 8]


def test_a_training_that_restarts_instead_of_resuming_is_noticed(tmp_path: Path) -> None:
    checkpoint = TrainingCheckpoint(tmp_path / "run.npz", {})
    with pytest.raises(KeyboardInterrupt):
        train_together(sides(), interrupting(13), 30, checkpoint=checkpoint)

    class Forgetful(Slope):
        def restore(self, state: Mapping[str, Array]) -> None:
            self.x = state["x"]

    resumed = train_together({"one": Slope(1.0), "other": Forgetful(1.5)}, batch_of, 30, checkpoint=checkpoint)
    assert not same(resumed, train_together(sides(), batch_of, 30))


def test_signal_handlers_are_restored() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    train_together(sides(), batch_of, 2)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@pytest.mark.parametrize("damage", ["truncated", "flipped", "emptied", "text"])
def test_a_damaged_checkpoint_is_named_and_the_previous_one_resumes(tmp_path: Path, damage: str) -> None:
    checkpoint = TrainingCheckpoint(tmp_path / "run.npz", {}, seconds=0)
    train_together(sides(), batch_of, 20, checkpoint=checkpoint)
    whole = checkpoint.path.read_bytes()
    middle = whole.index(np.float64(2.5).tobytes())  # the first loss of the first side, (1 + 4) / 2
    flipped = bytearray(whole)
    flipped[middle] ^= 1
    checkpoint.path.write_bytes({"truncated": whole[:-200], "flipped": bytes(flipped), "emptied": b"", "text": b"no"}[damage])
    with pytest.raises(GatewiseError, match=r"must be a complete file, but is damaged: .* resumes from run\.before\.npz"):
        train_together(sides(), batch_of, 30, checkpoint=checkpoint)
    assert checkpoint.path.exists()
    checkpoint.path.unlink()
    asked, batch = counted()
    resumed = train_together(sides(), batch, 30, checkpoint=checkpoint)
    assert asked == list(range(20, 30))  # saved once when the last step was made, and once at the end
    assert same(resumed, train_together(sides(), batch_of, 30))


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    train_together(sides(), batch_of, 3, checkpoint=TrainingCheckpoint(tmp_path / "run.npz", {"rate": 0.1}))
    with pytest.raises(
        GatewiseError, match=r'must come from a training with {"rate": 0.2, .*, but comes from a training with {"rate": 0.1'
    ):
        train_together(sides(), batch_of, 3, checkpoint=TrainingCheckpoint(tmp_path / "run.npz", {"rate": 0.2}))
    with pytest.raises(GatewiseError, match=r'but comes from a training with {"rate": 0.1, "sides": .*"one", "other"'):
        train_together({"one": Slope(1.0)}, batch_of, 3, checkpoint=TrainingCheckpoint(tmp_path / "run.npz", {"rate": 0.1}))
    with pytest.raises(GatewiseError, match="have at most the requested 2 steps, but has 3"):
        train_together(sides(), batch_of, 2, checkpoint=TrainingCheckpoint(tmp_path / "run.npz", {"rate": 0.1}))


def test_a_loss_that_is_not_finite_stops_the_training_and_keeps_every_step(tmp_path: Path) -> None:
    checkpoint = TrainingCheckpoint(tmp_path / "run.npz", {})
    diverging = {"one": Slope(1.0), "other": Slope(1.5, rate=1e200)}
    with pytest.raises(
        TrainingStoppedError, match=r"the loss of other at step 1 must be a finite number, but is inf\."
    ) as caught:
        train_together(diverging, batch_of, 30, checkpoint=checkpoint)
    assert caught.value.trajectory.steps == 2
    with np.load(tmp_path / "run.stopped.npz") as kept:
        np.testing.assert_array_equal(kept["losses/0"], caught.value.trajectory.losses["one"])


def test_parameters_that_do_not_pair_up_are_named_before_the_first_step() -> None:
    with pytest.raises(GatewiseError, match=r"but x is absent where one's is \(2,\), and 1 others differ too"):
        train_together({"one": Slope(1.0), "other": Slope(1.0, name="y")}, batch_of, 3)


def test_a_checkpoint_that_cannot_be_written_fails_before_the_first_step(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    asked, batch = counted()
    with pytest.raises(OSError, match="file"):
        train_together(sides(), batch, 3, checkpoint=TrainingCheckpoint(tmp_path / "file" / "run.npz", {}))
    assert not asked


def test_anything_but_a_checkpoint_with_the_right_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GatewiseError, match=r"checkpoint must be a TrainingCheckpoint, but is 'run\.npz'"):
        train_together(sides(), batch_of, 3, checkpoint="run.npz")  # type: ignore[arg-type]
    with pytest.raises(GatewiseError, match=r"must end in \.npz, but is .*run\.1"):
        TrainingCheckpoint(tmp_path / "run.1", {})
    train_together(sides(), batch_of, 3, checkpoint=TrainingCheckpoint(str(tmp_path / "run.npz"), {}))  # type: ignore[arg-type]
    assert (tmp_path / "run.npz").exists()


def test_two_processes_that_save_at_once_leave_both_files_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = TrainingCheckpoint(tmp_path / "run.npz", {})

    def save_meanwhile(_: int) -> None:
        monkeypatch.undo()
        with monkeypatch.context() as other:
            other.setattr(os, "getpid", lambda: -1)
            checkpoint.save({"x": np.ones(3)}, ["one"])

    monkeypatch.setattr(os, "fsync", save_meanwhile)
    checkpoint.save({"x": np.zeros(3)}, ["one"])
    stored = [TrainingCheckpoint(path, {}).load(["one"]) for path in (checkpoint.path, checkpoint.before)]
    assert [arrays["x"].tolist() for arrays in stored if arrays] == [[0, 0, 0], [1, 1, 1]]


@pytest.mark.parametrize(("steps", "every"), [(-1, 10), (3, 0)])
def test_impossible_numbers_of_steps_are_refused(steps: int, every: int) -> None:
    with pytest.raises(GatewiseError, match=rf"must be at least 0 and 1, but are {steps} and {every}"):
        train_together(sides(), batch_of, steps, every=every)
