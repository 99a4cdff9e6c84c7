"""The translation model trained in both frameworks from the same weights, in float32 also from weights perturbed by one ulp."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from compare.report.curves import averaged, picked, rounded
from compare.report.results import Results, Value, environment, exact, measured
from compare.report.studies.fetching import fetch
from compare.report.studies.originals import cache_folder
from compare.report.studies.translation import accuracy, dictionary
from compare.report.studies.translation.batches import SOUNDS, Batch, Batches, Tokens, encode, held_out
from compare.report.studies.translation.copying import copy_model
from compare.report.studies.translation.dictionary import Entry
from compare.report.studies.translation.setting import Setting
from compare.report.studies.translation.training import build_sides
from compare.training import Checkpoint, Trajectory, train_together
from frameworks import registry

BATCH_SIZE = 64
ROUNDED = "rounded"
"""The side whose initial parameters are perturbed by one ulp."""
_RATE = 0.003
"""The learning rate in float32, chosen so that the model learns something within minutes."""
_PARTED = 0.01
"""The share of the loss by which two curves differ once they have diverged."""
_TINY = 1e-9
"""The limit for the difference of a parameter after training in float64: a thousandth of float32's precision."""
_SHOWN = ("gatewise", "keras", "network", "through", "knight", "physics", "machine", "language")


def run(progress: Callable[[int, int], None], checkpoint: Checkpoint, *, cell: Any, dtype: Any, steps: int) -> Results:
    """Train, and measure the distance between the two sides.

    Args:
        progress: a function called with the numbers of finished steps and of all steps.
        checkpoint: the checkpoint to resume from.
        cell: "gru" or "lstm".
        dtype: "float64" trains on the sample. "float32" trains on the whole dictionary, which is fetched, and adds a second
            Keras side, whose initial parameters are perturbed by one ulp of float32.
        steps: number of steps.
    """
    registry.load("keras")
    wide = dtype == "float64"
    setting = Setting(cell=cell, dtype=dtype, optimizer_config={} if wide else {"learning_rate": _RATE})
    entries = dictionary.read_sample() if wide else _fetch_whole()
    batches = Batches(entries, BATCH_SIZE)
    sides: dict[str, Any] = {side.framework: side for side in build_sides(setting)}
    if not wide:
        sides[ROUNDED] = _one_rounding_off(setting)
    trajectory = train_together(sides, batches.batch, steps, checkpoint=checkpoint, progress=progress)
    return {
        "setting": exact(f"{len(entries)} words, batches of {BATCH_SIZE}, Adam({0.001 if wide else _RATE})"),
        "steps": exact(steps),
        **course(trajectory),
        **(nearness(trajectory) if wide else _outcome(sides, setting, trajectory, entries)),
    }


def course(trajectory: Trajectory) -> Results:
    """Return the curves of a training."""
    others = list(trajectory.distances)
    return {
        "losses": {name: averaged(losses) for name, losses in trajectory.losses.items()},
        "loss gaps": {name: averaged(trajectory.loss_gap(name)) for name in others},
        "distances": {name: picked(trajectory.measured_at, trajectory.farthest(name)) for name in others},
    }


def nearness(trajectory: Trajectory) -> Results:
    """Return the largest differences of a training in float64."""
    return {
        "largest loss gap": measured(trajectory.loss_gap("pytorch").max(), _TINY),
        "parameters": {name: measured(values.max(), _TINY) for name, values in trajectory.distances["pytorch"].items()},
    }


def _fetch_whole() -> tuple[Entry, ...]:
    fetch(dictionary.ORIGINAL, cache_folder())
    return dictionary.read_whole(cache_folder())


def _one_rounding_off(setting: Setting) -> Any:
    """Build Keras's side with every parameter moved at random to the next number up or down."""
    side, _ = build_sides(setting)
    rng = np.random.default_rng(setting.seed)
    state = dict(side.state())
    for name, array in state.items():
        if name.startswith("model/") and array.dtype == setting.dtype:  # not the seeds of dropout
            toward = np.where(rng.random(array.shape) < 0.5, -np.inf, np.inf).astype(array.dtype)
            state[name] = np.nextafter(array, toward)
    side.restore(state)
    return side


def _outcome(sides: Mapping[str, Any], setting: Setting, trajectory: Trajectory, entries: tuple[Entry, ...]) -> Results:
    """Return the steps at which the curves diverge, and the scores of the trained models on unseen words."""
    batch = held_out(entries)
    parted = {name: _parting(trajectory, name) for name in trajectory.distances}
    scores = {name: accuracy.score(side, batch) for name, side in sides.items()}
    return {
        "parted at": {name: environment(step) for name, step in parted.items()},
        "held out": {
            name: {field: environment(rounded(value)) for field, value in asdict(score).items()}
            for name, score in scores.items()
        },
        **_same_weights(sides["keras"], setting, batch),
    }


def _parting(trajectory: Trajectory, name: str) -> int | None:
    """Return the first step at which the loss has diverged from Keras's; None if it never does."""
    first = next(iter(trajectory.losses.values()))
    apart = np.flatnonzero(trajectory.loss_gap(name) > _PARTED * first)
    return int(apart[0]) if len(apart) else None


def _same_weights(keras_side: Any, setting: Setting, batch: Batch) -> Results:
    """Copy Keras's trained parameters to both sides in float64, where no rounding decides, and compare greedy translations."""
    sides: Any = build_sides(replace(setting, dtype="float64"))
    one, other = sides
    own = one.state()
    one.restore({name: array.astype(own[name].dtype) for name, array in keras_side.state().items()})
    copy_model(one.model, other.model)
    (written, looks), (also, their_looks) = (side.translate(batch[0]) for side in sides)
    words, _ = encode(tuple(Entry(word, ()) for word in _SHOWN))
    shown = {side.framework: side.translate(words) for side in sides}
    return {
        "words decoded": exact(len(written)),
        "decoded otherwise": measured(int((written != also).any(axis=1).sum()), 0),
        "closest decision": environment(rounded(float(accuracy.margin(one, batch[0], written).min()))),
        "attention": measured(np.abs(looks - their_looks).max(), 1e-9),
        "pronounced": {
            word: {name: environment(" ".join(SOUNDS.decode(rows[at]))) for name, (rows, _) in shown.items()}
            for at, word in enumerate(_SHOWN)
        },
        "maps": {
            word: {name: _map(word, rows[at], maps[at]) for name, (rows, maps) in shown.items()}
            for at, word in enumerate(_SHOWN)
        },
    }


def _map(word: str, row: Tokens, attention: Any) -> Value:
    """Return the attention of each step, without the padding on either axis, and the labels of both axes."""
    targets = [*SOUNDS.decode(row), "end"]
    sources = ["start", *word, "end"]
    kept = np.round(attention[: len(targets), : len(sources)], 3)
    return environment({"map": kept.tolist(), "sources": sources, "targets": targets})
