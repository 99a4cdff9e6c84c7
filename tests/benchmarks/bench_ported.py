"""How fast a torch port runs beside the same model written by hand, and what a mask costs it: `make bench`.

A port of native layers is timed beside a module of the same torch layers, and a port whose layers see a mask beside the port of
the same layers without one. The two take turns in one run; the ratio is the median of the turns'. Nothing here fails, whatever
the numbers.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import torch
from tabulate import tabulate
from torch import nn

from frameworks.models import port_model

ROUNDS = 25
SIZES = ((32, 100, 128), (8, 30, 32))
"""Batch, time steps, and the size of input and hidden state."""
HOLES = 0.1
"""The share of steps that are masked, beside the padding of rows of a quarter of the length or more."""


@dataclass(frozen=True)
class Race:
    """One measurement: what is timed, what it is compared with, the ratio to stay within; None where it is only told."""

    name: str
    against: str
    ours: Any
    other: Any
    inputs: torch.Tensor
    most: float | None = None


class ByHand(nn.Module):
    """Two recurrent layers and a linear one, as one writes them."""

    def __init__(self, size: int) -> None:
        """Make the layers."""
        super().__init__()
        self.lstm = nn.LSTM(size, size, batch_first=True)
        self.gru = nn.GRU(size, size, batch_first=True)
        self.head = nn.Linear(size, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (batch, 1)."""
        x, _ = self.lstm(x)
        _, h = self.gru(x)
        head: torch.Tensor = self.head(h[-1])
        return head


def main() -> None:
    """Run all of it and print a table."""
    torch.manual_seed(0)
    rows = []
    for batch, time, size in SIZES:
        for race in _races(batch, time, size):
            sizes = f"{batch} x {time} x {size}"
            rows += [(f"{race.name}, {mode}", race.against, sizes, *_run(race, mode), race.most) for mode in _MODES]
    headers = ("port", "beside", "sizes", "ms", "its ms", "ratio", "at most")
    sys.stdout.write(tabulate(rows, headers, floatfmt=("", "", "", ".1f", ".1f", ".2f", ".2f"), tablefmt="github"))
    load = os.getloadavg()[0]
    sys.stdout.write(f"\n\nmedians of {ROUNDS}; {torch.get_num_threads()} threads of {os.cpu_count()} CPUs, load {load:.1f}\n")


def _races(batch: int, time: int, size: int) -> Iterator[Race]:
    layers = keras.layers
    x = torch.randn(batch, time, size)
    lengths = torch.randint(time // 4, time + 1, (batch, 1))
    holed = x.masked_fill(((torch.arange(time) >= lengths) | (torch.rand(batch, time) < HOLES)).unsqueeze(-1), 0)
    chain = [layers.LSTM(size, return_sequences=True), layers.GRU(size), layers.Dense(1)]
    yield Race("LSTM, GRU, Dense", "written by hand", _ported(size, *chain), ByHand(size).eval(), x, 1.05)
    makes: dict[str, tuple[Callable[[], Any], float | None]] = {
        "LSTM, masked": (lambda: layers.LSTM(size, return_sequences=True), 1.2),
        "GRU, masked": (lambda: layers.GRU(size, return_sequences=True), 1.2),
        "LSTM and its states, packed": (lambda: layers.LSTM(size, return_sequences=True, return_state=True), None),
        "Bidirectional LSTM, packed": (lambda: layers.Bidirectional(layers.LSTM(size, return_sequences=True)), None),
        "Bidirectional GRU, packed": (lambda: layers.Bidirectional(layers.GRU(size, return_sequences=True)), None),
    }
    for name, (make, most) in makes.items():
        yield Race(name, "unmasked", _ported(size, layers.Masking(), make()), _ported(size, make()), holed, most)


def _ported(size: int, *layers: Any) -> Any:
    x = inputs = keras.Input((None, size))
    for layer in layers:
        x = layer(x)
    return port_model(keras.Model(inputs, x))


def _inference(model: Any, x: torch.Tensor) -> object:
    with torch.no_grad():
        return model(x)


def _training(model: Any, x: torch.Tensor) -> object:
    results = model(x)
    results = results if isinstance(results, tuple) else (results,)
    return sum(each.sum() for each in results).backward()


_MODES: dict[str, Callable[[Any, torch.Tensor], object]] = {"inference": _inference, "training": _training}


def _run(race: Race, mode: str) -> tuple[float, float, float]:
    """Return the median milliseconds of ours and of the other, and the median of the ratio over the turns."""
    sys.stderr.write(f"{race.name}, {mode}\n")
    work = _MODES[mode]
    work(race.ours, race.inputs)
    work(race.other, race.inputs)
    turns = [(_milliseconds(work, race.ours, race.inputs), _milliseconds(work, race.other, race.inputs)) for _ in range(ROUNDS)]
    ours, other = map(statistics.median, zip(*turns, strict=True))
    return ours, other, statistics.median(one / another for one, another in turns)


def _milliseconds(work: Callable[[Any, torch.Tensor], object], model: Any, x: torch.Tensor) -> float:
    start = perf_counter()
    work(model, x)
    return (perf_counter() - start) * 1e3


if __name__ == "__main__":
    main()
