"""How fast the emulated Keras layers are beside torch's own, and what a mask costs in memory: `make bench`.

Each time is that of a forward and backward pass, held against the native torch module that is nearest to it: the same layer
where the emulation is fused, the same kind of cell where it is a loop. The two take turns in one run; the ratio is the median
of the turns'. Memory is what torch's CPU allocator held at most at one time beyond what was there before, as its profiler
recorded each allocation. Nothing here fails, whatever the numbers. Compiling takes minutes.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

import torch
from tabulate import tabulate
from torch import nn

from frameworks.keras_in_torch.layers import KerasBidirectional, KerasGRU, KerasLSTM

Work = Callable[[], object]

BATCH, TIME, SIZE = 32, 100, 256
"""SIZE is of the input and of the hidden state."""
ROUNDS = 15
SLOW_ROUNDS = 3
HOLES = 0.2
"""The share of steps that are masked."""


@dataclass(frozen=True)
class Race:
    """One measurement: what is timed, what it is held against, the ratio to stay within; none where it is only told."""

    name: str
    against: str
    ours: Work
    native: Work
    most: float | None = None
    rounds: int = ROUNDS


def main() -> None:
    """Run all of it and print two tables."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    torch.manual_seed(0)
    times = [(race.name, race.against, *_run(race), race.most) for race in _races()]
    headers = ("forward and backward", "against", "ms", "its ms", "ratio", "at most")
    sys.stdout.write(tabulate(times, headers, floatfmt=("", "", ".0f", ".0f", ".2f", ".1f"), tablefmt="github"))
    memory = [(name, mode, *_memory(layer, training=mode == "training"), 1.5) for name, layer, mode in _masked()]
    headers = ("layer", "mode", "MB without a mask", "MB with one", "ratio", "at most")
    sys.stdout.write("\n\n" + tabulate(memory, headers, floatfmt=("", "", ".1f", ".1f", ".2f", ".1f"), tablefmt="github"))
    load = os.getloadavg()[0]
    sys.stdout.write(f"\n\nbatch {BATCH}, {TIME} steps, {SIZE} units, float32; {os.cpu_count()} CPUs, load {load:.1f}\n")


def _races() -> Iterator[Race]:
    how: dict[str, Any] = {"input_size": SIZE, "return_sequences": True}
    natives = {
        "nn.LSTM": nn.LSTM(SIZE, SIZE, batch_first=True),
        "nn.GRU": nn.GRU(SIZE, SIZE, batch_first=True),
        "nn.LSTM, two directions": nn.LSTM(SIZE, SIZE, batch_first=True, bidirectional=True),
    }
    fused = {
        "LSTM": (KerasLSTM(SIZE, **how), "nn.LSTM"),
        "GRU": (KerasGRU(SIZE, **how), "nn.GRU"),
        "Bidirectional LSTM": (KerasBidirectional(KerasLSTM(SIZE, **how)), "nn.LSTM, two directions"),
    }
    loops = {
        "GRU(reset_after=False)": (KerasGRU(SIZE, reset_after=False, **how), "nn.GRU", 1.5),
        "LSTM(hard_sigmoid)": (KerasLSTM(SIZE, recurrent_activation="hard_sigmoid", **how), "nn.LSTM", 1.8),
    }
    for name, (layer, against) in fused.items():
        yield Race(f"{name}, fused", against, _step_of(layer), _step_of(natives[against]), 1.1)
    for name, (layer, against, most) in loops.items():
        yield Race(f"{name}, loop", against, _step_of(layer), _step_of(natives[against]), most)
    for name, (layer, against, most) in loops.items():
        if shutil.which("c++"):
            yield Race(f"{name}, compiled", against, _step_of(torch.compile(layer)), _step_of(natives[against]), most)
        else:
            sys.stderr.write(f"{name}, compiled: not run, torch.compile needs a C++ compiler\n")
    for name, against, work in _keras_steps():
        yield Race(f"{name}, Keras called eagerly", against, work, _step_of(natives[against]), rounds=SLOW_ROUNDS)


def _step_of(layer: Any) -> Work:
    x = torch.randn(BATCH, TIME, SIZE, requires_grad=True)

    def step() -> None:
        output = layer(x)
        (output[0] if isinstance(output, tuple) else output).sum().backward()

    return step


def _keras_steps() -> Iterator[tuple[str, str, Work]]:
    import keras
    import tensorflow as tf

    x = tf.random.normal((BATCH, TIME, SIZE))

    def step_of(layer: Any) -> Work:
        layer.build(x.shape)

        def step() -> None:
            with tf.GradientTape() as tape:
                tape.watch(x)
                total = tf.reduce_sum(layer(x))
            tape.gradient(total, [x, *(variable.value for variable in layer.trainable_variables)])

        return step

    yield "LSTM", "nn.LSTM", step_of(keras.layers.LSTM(SIZE, return_sequences=True))
    yield "GRU(reset_after=False)", "nn.GRU", step_of(keras.layers.GRU(SIZE, return_sequences=True, reset_after=False))


def _run(race: Race) -> tuple[float, float, float]:
    """Give the best milliseconds of ours and of the native one, and the median of the ratio over the turns."""
    sys.stderr.write(f"{race.name}\n")
    race.ours()  # compiles, where it is compiled
    race.native()
    turns = [(_milliseconds(race.ours), _milliseconds(race.native)) for _ in range(race.rounds)]
    ours, native = map(min, zip(*turns, strict=True))
    return ours, native, statistics.median(one / other for one, other in turns)


def _milliseconds(work: Work) -> float:
    start = perf_counter()
    work()
    return (perf_counter() - start) * 1e3


def _masked() -> Iterator[tuple[str, Any, str]]:
    how: dict[str, Any] = {"input_size": SIZE, "return_sequences": True}
    layers = {
        "LSTM, packed": KerasLSTM(SIZE, **how),
        "GRU, packed": KerasGRU(SIZE, **how),
        "Bidirectional LSTM, packed": KerasBidirectional(KerasLSTM(SIZE, **how)),
        "GRU(reset_after=False), loop": KerasGRU(SIZE, reset_after=False, **how),
        "LSTM(hard_sigmoid), loop": KerasLSTM(SIZE, recurrent_activation="hard_sigmoid", **how),
    }
    for name, layer in layers.items():
        for mode in ("inference", "training"):
            yield name, layer, mode


def _memory(layer: Any, *, training: bool) -> tuple[float, float, float]:
    """Give the megabytes that a call without a mask and one with holes held at most, and their ratio."""
    x = torch.randn(BATCH, TIME, SIZE, requires_grad=training)
    holes = torch.rand(BATCH, TIME) > HOLES

    def call(mask: torch.Tensor | None) -> None:
        with nullcontext() if training else torch.no_grad():
            output = layer(x, mask=mask)
            if training:
                layer.zero_grad(set_to_none=True)
                x.grad = None
                output.sum().backward()

    plain, masked = (_peak(partial(call, mask)) for mask in (None, holes))
    return plain / 1e6, masked / 1e6, masked / plain


def _peak(work: Work) -> int:
    """Give the bytes that were allocated at most at one time, beyond what was there before."""
    work()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        work()
    events: Any = profile.profiler.kineto_results.events()
    held = most = 0
    for _, size in sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]"):
        held += size
        most = max(most, held)
    return most


if __name__ == "__main__":
    main()
