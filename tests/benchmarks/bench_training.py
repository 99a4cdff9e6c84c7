"""What comparing a training costs beside the training itself, and a step of PyTorch that follows Keras beside torch's own.

The translation model, in turns of twenty steps: both sides trained by themselves, then with losses recorded and distances
measured every ten steps; 1.25 is what to stay below. Then the PyTorch side alone, with `optimizer_like` and with torch's own
class; 1.1. The ratio is that of the best times, beside the median of the ratios; nothing here fails, whatever the numbers.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

from tabulate import tabulate

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
STEPS = 20
ROUNDS = 8


def main() -> None:
    """Time both ratios for each cell and dtype, and print one table."""
    from compare.report.studies.translation.batches import Batches
    from compare.report.studies.translation.dictionary import read_sample
    from compare.report.studies.translation.setting import Setting
    from frameworks import registry

    registry.load("keras")
    batches = Batches(read_sample(), 64)
    rows = []
    for cell in ("gru", "lstm"):
        setting = replace(Setting(), cell=cell, dtype="float32")
        sys.stderr.write(f"{cell}\n")
        rows.append((f"{cell}, compared / trained", *_ratios(*_compared(setting, batches))))
        rows.append((f"{cell}, optimizer_like / torch.optim.Adam", *_ratios(*_stepped(setting, batches))))
    headers = (f"{STEPS} steps", "ms", "beside, ms", "ratio", "median")
    sys.stdout.write(tabulate(rows, headers, floatfmt=("", ".0f", ".0f", ".2f", ".2f"), tablefmt="github"))
    sys.stdout.write(f"\n\n{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}\n")


def _ratios(one: Callable[[], None], other: Callable[[], None]) -> tuple[float, float, float, float]:
    turns = [(_milliseconds(one), _milliseconds(other)) for _ in range(ROUNDS)][1:]
    best = [min(times) for times in zip(*turns, strict=True)]
    return best[0], best[1], best[0] / best[1], statistics.median(first / second for first, second in turns)


def _compared(setting: Any, batches: Any) -> tuple[Callable[[], None], Callable[[], None]]:
    from compare.report.studies.translation.training import build_sides
    from compare.training import train_together

    sides = {side.framework: side for side in build_sides(setting)}

    def train() -> None:
        for side in sides.values():
            for step in range(STEPS):
                side.step(batches.batch(step))

    train()  # compiles

    def compare() -> None:
        train_together(sides, batches.batch, STEPS)

    return compare, train


def _stepped(setting: Any, batches: Any) -> tuple[Callable[[], None], Callable[[], None]]:
    import torch

    from compare.report.studies.translation.pytorch.training import PyTorchSide, trained
    from compare.report.studies.translation.training import build_sides

    _, ours = build_sides(setting)
    _, theirs = build_sides(setting)
    model: Any = theirs.model
    theirs = PyTorchSide(model, torch.optim.Adam(trained(model), lr=1e-3, foreach=True))

    def train(side: Any) -> None:
        for step in range(STEPS):
            side.step(batches.batch(step))

    return partial(train, ours), partial(train, theirs)


def _milliseconds(run: Callable[[], None]) -> float:
    start = perf_counter()
    run()
    return (perf_counter() - start) * 1e3


if __name__ == "__main__":
    main()
