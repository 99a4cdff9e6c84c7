"""The translation model trained in both frameworks from the same weights, and in float32 from weights one rounding off too."""

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
ROUNDED = "one rounding off"
_RATE = 0.003
"""In float32, where the model is to learn something in a few minutes."""
_PARTED = 0.01
"""The share of the loss by which two curves must differ to have parted."""
_TINY = 1e-9
"""What no parameter may be off by in float64 after the training: a thousandth of what a float32 holds."""
_SHOWN = ("gatewise", "keras", "network", "through", "knight", "physics", "machine", "language")


def run(progress: Callable[[int, int], None], checkpoint: Checkpoint, *, cell: Any, dtype: Any, steps: int) -> Results:
    """Train, and tell how far the two are apart.

    Args:
        progress: is told of steps.
        checkpoint: to go on from.
        cell: "gru" or "lstm".
        dtype: in float64 on the sample; in float32 on the whole dictionary, which is fetched, and beside the two sides a second
            one of Keras, whose parameters are one float32 rounding off.
        steps: how many.
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
    """Return the curves of a training, for a figure."""
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
    """Build Keras's side with every parameter moved to the next number up or down, by chance."""
    side, _ = build_sides(setting)
    rng = np.random.default_rng(setting.seed)
    state = dict(side.state())
    for name, array in state.items():
        if name.startswith("model/") and array.dtype == setting.dtype:  # a seed of dropout is none
            toward = np.where(rng.random(array.shape) < 0.5, -np.inf, np.inf).astype(array.dtype)
            state[name] = np.nextafter(array, toward)
    side.restore(state)
    return side


def _outcome(sides: Mapping[str, Any], setting: Setting, trajectory: Trajectory, entries: tuple[Entry, ...]) -> Results:
    """Return where the curves part, and what the trained models make of words that they have not seen."""
    batch = held_out(entries)
    parted = {name: _parting(trajectory, name) for name in trajectory.distances}
    scores = {name: accuracy.score(side, batch) for name, side in sides.items()}
    return {
        "parted at": {name: environment(step) for name, step in parted.items()},
        "held out": {
            name: {field: environment(rounded(value)) for field, value in asdict(found).items()}
            for name, found in scores.items()
        },
        **_same_weights(sides["keras"], setting, batch),
    }


def _parting(trajectory: Trajectory, name: str) -> int | None:
    """Return the first step from which the loss is that of Keras no more; None where it stays so."""
    first = next(iter(trajectory.losses.values()))
    apart = np.flatnonzero(trajectory.loss_gap(name) > _PARTED * first)
    return int(apart[0]) if len(apart) else None


def _same_weights(keras_side: Any, setting: Setting, batch: Batch) -> Results:
    """Return Keras's trained parameters to both in float64, where no rounding decides, and have them translate greedily."""
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
    """Return where each step looked, without the padding of either axis, and what stands along them."""
    targets = [*SOUNDS.decode(row), "end"]
    sources = ["start", *word, "end"]
    kept = np.round(attention[: len(targets), : len(sources)], 3)
    return environment({"map": kept.tolist(), "sources": sources, "targets": targets})
