"""How fast weights are copied, as ratios of one run, and how much memory it takes: `make bench`.

Each time is held against the plain way to move as many bytes to the same place in the same run: towards torch `numpy.copyto` of
contiguous arrays, towards Keras `variable.assign` of arrays that are ready and contiguous. The two take turns. The ratio is
that of the best times, beside the median of the ratios, which other work on the machine lowers: our copy uses several threads,
the plain way one. Nothing here fails, whatever the numbers.
"""

from __future__ import annotations

import os
import re
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
from tabulate import tabulate

Array = npt.NDArray[Any]
Work = Callable[[], object]

INPUT, HIDDEN = 2048, 4096
ROUNDS = 15
PROCESS = Path("/proc/self")


@dataclass(frozen=True)
class Race:
    """One measurement: what is copied, the plain way of it, the ratio to reach and the extra tensors to stay within.

    A tensor has as many bytes as the largest array that is copied.
    """

    name: str
    largest: int
    copy: Work
    plain: Work
    ratio: float
    tensors: int


@dataclass(frozen=True)
class Twins:
    """A Keras layer and the torch module of its sizes, with random weights, and arrays as large as the Keras layer's."""

    layer: Any
    module: Any
    ready: dict[str, Array]

    @property
    def largest(self) -> int:
        """The bytes of the largest array."""
        return max(array.nbytes for array in self.ready.values())

    @property
    def parameters(self) -> dict[str, Array]:
        """The module's parameters, which share memory with it."""
        return {name.removesuffix("_l0"): parameter.detach().numpy() for name, parameter in self.module.named_parameters()}


def main() -> None:
    """Run both cells in both directions and print one table."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    rows = []
    for cell in ("lstm", "gru"):
        twins = _build(cell)
        for direction, races in {"Keras to torch": _to_torch(twins), "torch to Keras": _to_keras(twins)}.items():
            for race in races:
                sys.stderr.write(f"{cell}, {direction}: {race.name}\n")
                extra = _peak_extra(race.copy) / race.largest
                rows.append((cell, direction, race.name, *_run(race), race.ratio, extra, race.tensors))
    headers = ("cell", "direction", "what", "ms", "plain ms", "ratio", "median", "at least", "extra tensors", "at most")
    table = tabulate(rows, headers, floatfmt=("", "", "", ".0f", ".0f", ".2f", ".2f", ".1f", ".2f", ""), tablefmt="github")
    sys.stdout.write(f"{table}\n\n{INPUT} inputs, {HIDDEN} hidden; {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}\n")


def _build(cell: str) -> Twins:
    import keras
    import torch

    kind = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[cell]
    # The orthogonal matrix that is the default takes minutes.
    layer = kind(HIDDEN, kernel_initializer="zeros", recurrent_initializer="zeros")
    layer.build((None, None, INPUT))
    random = np.random.default_rng(0)
    names = ("kernel", "recurrent_kernel", "bias")
    ready = {name: random.random(getattr(layer.cell, name).shape, np.float32) for name in names}
    for name, array in ready.items():
        getattr(layer.cell, name).assign(array)
    return Twins(layer, {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell](INPUT, HIDDEN), ready)


def _to_torch(twins: Twins) -> Iterator[Race]:
    from frameworks import adapt, copy_weights
    from frameworks.copying import fill
    from frameworks.layouts import PYTORCH

    source = adapt(twins.layer)
    kernel = {"weight_ih": twins.parameters["weight_ih"]}
    contiguous = twins.ready["recurrent_kernel"].ravel()

    def overwrite(arrays: dict[str, Array]) -> None:
        for array in arrays.values():
            np.copyto(array.reshape(-1), contiguous[: array.size])

    def copy_kernel() -> None:
        fill(kernel, PYTORCH, source.spec, 0, source.read(0, 0))

    def transpose_kernel() -> None:
        np.copyto(kernel["weight_ih"], twins.ready["kernel"].T)

    yield Race("kernel", twins.ready["kernel"].nbytes, copy_kernel, lambda: overwrite(kernel), 0.4, 1)
    yield Race(
        "all", twins.largest, lambda: copy_weights(twins.layer, twins.module), lambda: overwrite(twins.parameters), 0.4, 1
    )
    yield Race("kernel, by numpy.copyto", twins.ready["kernel"].nbytes, transpose_kernel, lambda: overwrite(kernel), 0.0, 1)


def _to_keras(twins: Twins) -> Iterator[Race]:
    from frameworks import adapt, copy_weights
    from frameworks.copying import fill
    from frameworks.keras.tensors import overwritten
    from frameworks.layouts import KERAS

    source = adapt(twins.module)
    cell = twins.layer.cell

    def copy_kernel() -> None:
        with overwritten(cell.kernel) as array:
            fill({"kernel": array}, KERAS, source.spec, 0, source.read(0, 0))

    def assign_all() -> None:
        for name, array in twins.ready.items():
            getattr(cell, name).assign(array)

    yield Race("kernel", twins.ready["kernel"].nbytes, copy_kernel, lambda: cell.kernel.assign(twins.ready["kernel"]), 0.6, 3)
    yield Race("all", twins.largest, lambda: copy_weights(twins.module, twins.layer), assign_all, 0.6, 3)


def _run(race: Race) -> tuple[float, float, float, float]:
    """Give the best milliseconds of our copy and of the plain one, plain / ours, and the median of that over the turns."""
    turns = [(_milliseconds(race.copy), _milliseconds(race.plain)) for _ in range(ROUNDS)]
    ours, plain = map(min, zip(*turns, strict=True))
    return ours, plain, plain / ours, statistics.median(one / other for other, one in turns)


def _milliseconds(work: Work) -> float:
    start = perf_counter()
    work()
    return (perf_counter() - start) * 1e3


def _peak_extra(work: Work) -> float:
    """Give the bytes by which the process grew at most while it worked; NaN where Linux's /proc is not there to tell."""
    if not PROCESS.exists():
        return float("nan")
    work()
    before = _kilobytes("VmRSS")
    (PROCESS / "clear_refs").write_text("5", encoding="ascii")  # the peak starts over: see proc(5)
    work()
    return (_kilobytes("VmHWM") - before) * 1024


def _kilobytes(field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB$", (PROCESS / "status").read_text(encoding="ascii"), re.MULTILINE)
    return int(found[1]) if found else 0


if __name__ == "__main__":
    main()
