"""The translation model trained with the defaults of either framework, switched one at a time, from several seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from compare.report.curves import averaged, rounded
from compare.report.results import Results, environment, exact
from compare.report.studies.translation import defaults, dictionary
from compare.report.studies.translation.accuracy import score
from compare.report.studies.translation.batches import Batches, held_out
from compare.report.studies.translation.setting import Setting
from compare.report.studies.translation.training import build_sides
from compare.training import Checkpoint, train_together
from frameworks import registry

SETTING = Setting(cell="lstm", dtype="float32", dropout=0.2)
BATCH_SIZE = 64


def run(
    progress: Callable[[int, int], None], checkpoint: Checkpoint, *, side: str, own: Sequence[str], steps: int, seeds: int
) -> Results:
    """Train from each seed, and score what comes of it on the words that were held out.

    Args:
        progress: is told of steps.
        checkpoint: to go on from.
        side: "pytorch"; "keras" for Keras with the gradients of an embedding added up, "fit" for Keras as its `fit` trains.
        own: which of compare.report.studies.translation.defaults.DEFAULTS are PyTorch's own.
        steps: of each training.
        seeds: how many trainings, on the same batches.
    """
    registry.load("keras")
    entries = dictionary.read_sample()
    sides = {f"seed {seed}": _build(side, own, replace(SETTING, seed=seed)) for seed in range(seeds)}
    course = train_together(
        sides, Batches(entries, BATCH_SIZE).batch, steps, every=steps, checkpoint=checkpoint, progress=progress
    )
    batch = held_out(entries)
    scores = [asdict(score(each, batch)) for each in sides.values()]
    return {
        "steps": exact(steps),
        "setting": exact(f"{SETTING.cell}, {SETTING.optimizer}, dropout {SETTING.dropout}, batches of {BATCH_SIZE}"),
        "losses": averaged(np.mean(list(course.losses.values()), axis=0)),
        "held out": {name: environment([rounded(one[name]) for one in scores]) for name in scores[0]},
    }


def _build(side: str, own: Sequence[str], setting: Setting) -> Any:
    if side == "pytorch":
        return defaults.build_side(setting, own)
    return build_sides(replace(setting, added_up=side == "keras"))[0]
