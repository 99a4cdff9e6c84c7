"""The translation model trained with either framework's defaults, switched one at a time, from several seeds."""

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
    """Train from each seed, and score the results on held-out words.

    Args:
        progress: a function called with the numbers of finished steps and of all steps.
        checkpoint: the checkpoint to resume from.
        side: "pytorch"; "keras" for Keras with summed gradients of an embedding; "fit" for Keras as its `fit` trains.
        own: the names in compare.report.studies.translation.defaults.DEFAULTS to switch to PyTorch's.
        steps: number of steps of each training.
        seeds: number of trainings, all on the same batches.
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
