"""How long a step of an optimizer that follows Keras takes, against torch's own class of its family, both with foreach kernels.

The two take turns in one run; the ratio is that of the best times, beside the median of the ratios. 1.1 is what to
stay below; nothing here fails, whatever the numbers.
"""

from __future__ import annotations

import os
import statistics
import sys
from time import perf_counter
from typing import Any

from tabulate import tabulate

ROUNDS = 40
SIZES = {"small": [(128, 64), (64,)] * 16, "large": [(2048, 1024), (1024,)] * 2}
PAIRS: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("SGD", {"momentum": 0.9}, "SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True}, "SGD", {"momentum": 0.9, "nesterov": True}),
    ("Adam", {}, "Adam", {}),
    ("Adam", {"amsgrad": True}, "Adam", {"amsgrad": True}),
    ("AdamW", {}, "AdamW", {}),
    ("RMSprop", {}, "RMSprop", {}),
    ("RMSprop", {"centered": True, "momentum": 0.9}, "RMSprop", {"centered": True, "momentum": 0.9}),
    ("Adagrad", {}, "Adagrad", {}),
    ("Adamax", {}, "Adamax", {}),
    ("Nadam", {}, "NAdam", {}),
    ("Adafactor", {}, "Adafactor", {}),
]


def main() -> None:
    """Time every pair on many small parameters and on a few large ones, and print one table."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    rows = []
    for size, shapes in SIZES.items():
        for name, settings, stock, stock_settings in PAIRS:
            sys.stderr.write(f"{size}: {name}\n")
            ours, theirs = _ours(name, settings, shapes), _stock(stock, stock_settings, shapes)
            turns = [(_milliseconds(ours), _milliseconds(theirs)) for _ in range(ROUNDS)][5:]
            best = [min(times) for times in zip(*turns, strict=True)]
            options = ", ".join(settings)
            rows.append((size, name, options, *best, best[0] / best[1], statistics.median(one / other for one, other in turns)))
    headers = ("parameters", "optimizer", "with", "ms", "torch's ms", "ratio", "median")
    sys.stdout.write(tabulate(rows, headers, floatfmt=".2f", tablefmt="github"))
    sys.stdout.write(f"\n\n{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}\n")


def _ours(name: str, settings: dict[str, Any], shapes: list[tuple[int, ...]]) -> Any:
    import keras

    from frameworks import optimizer_like

    return optimizer_like(getattr(keras.optimizers, name)(**settings), _parameters(shapes))


def _stock(name: str, settings: dict[str, Any], shapes: list[tuple[int, ...]]) -> Any:
    import torch

    return getattr(torch.optim, name)(_parameters(shapes), lr=0.001, foreach=True, **settings)


def _parameters(shapes: list[tuple[int, ...]]) -> list[Any]:
    import torch

    parameters = [torch.nn.Parameter(torch.randn(shape)) for shape in shapes]
    for parameter in parameters:
        parameter.grad = torch.randn_like(parameter)
    return parameters


def _milliseconds(optimizer: Any) -> float:
    start = perf_counter()
    optimizer.step()
    return (perf_counter() - start) * 1e3


if __name__ == "__main__":
    main()
