"""How fast a checkpoint file is ported and in how much memory, as ratios of one run: `make bench`.

Whole processes, one after the other in turns: `cp` of the file, `gatewise`'s way to .safetensors and its way to torch source,
and once the usual way, which loads the file in Keras, transposes and saves with torch. Memory is what the process held at most,
as the system counts it; the process that parses h5 is beside it and ends before weights are read. Nothing here fails, whatever
the numbers.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
from tabulate import tabulate

ROUNDS = 7
SIZES = (1190, 2048, 3740)
"""Hidden sizes of an LSTM of a quarter as many inputs, a bidirectional GRU of half as many units, an LSTM: 100, 294, 980 MB."""

OURS = "import sys; from frameworks.files import *; save_checkpoint(sys.argv[2], open_checkpoint(sys.argv[1]), force=True)"
SOURCE = "import sys; from frameworks.models import to_source; to_source(sys.argv[1]).write(sys.argv[2], force=True)"
INSPECT = "import sys; from compare.cli import main; main(['inspect', sys.argv[1]])"
LAUNCH = """
import os, subprocess, sys, time
began = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(time.perf_counter() - began, usage.ru_maxrss, status)
"""
USUAL = """
import sys, keras, torch
model = keras.models.load_model(sys.argv[1])
found = {f"{n}": torch.from_numpy(w.T.copy()) for n, w in enumerate(model.get_weights())}
torch.save(found, sys.argv[2])
"""


def main() -> None:
    """Run all sizes and print one table."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for hidden in SIZES:
            rows.append(_measure(Path(folder), hidden))
            sys.stderr.write(f"{rows[-1]}\n")
    headers = (
        "MB",
        "cp s",
        "port s",
        "port - 3 cp s",
        "at most",
        "port MiB",
        "at most",
        "source s",
        "at most",
        "source MiB",
        "at most",
        "inspect s",
        "at most",
        "usual s",
        "usual MiB",
    )
    sys.stdout.write(f"{tabulate(rows, headers, floatfmt='.2f', tablefmt='github')}\n\n")
    sys.stdout.write(f"medians of {ROUNDS}; {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}\n")


def _measure(folder: Path, hidden: int) -> tuple[float, ...]:
    file, copy, out = folder / "model.keras", folder / "copy.keras", folder / "out.safetensors"
    _write(file, hidden)
    plain, ours, sources, inspected = [], [], [], []
    for _ in range(ROUNDS):
        plain.append(_run(["cp", str(file), str(copy)])[0])
        ours.append(_run([sys.executable, "-c", OURS, str(file), str(out)]))
        sources.append(_run([sys.executable, "-c", SOURCE, str(file), str(folder / "ported.py")]))
        inspected.append(_run([sys.executable, "-c", INSPECT, str(file)])[0])
    usual = _run([sys.executable, "-c", USUAL, str(file), str(folder / "usual.pt")])
    cp, port = statistics.median(plain), statistics.median(seconds for seconds, _ in ours)
    over = statistics.median(seconds - 3 * one for (seconds, _), one in zip(ours, plain, strict=True))
    memory = max(memory for _, memory in ours)
    source = statistics.median(seconds for seconds, _ in sources), port + 1, max(each for _, each in sources), memory + 150
    return file.stat().st_size / 1e6, cp, port, over, 0.4, memory, 150, *source, statistics.median(inspected), 0.5, *usual


def _run(command: list[str]) -> tuple[float, float]:
    """Give the seconds that a process takes and the MiB that it holds at most."""
    # Started by a small process: what the system counts of a process begins with what the one held that started it.
    launched = subprocess.run([sys.executable, "-c", LAUNCH, *command], stdout=subprocess.PIPE, text=True, check=True)
    seconds, kilobytes, status = launched.stdout.split()
    if status != "0":
        sys.stderr.write(f"failed: {command[:3]}\n")
    return float(seconds), float(kilobytes) / 1024


def _write(path: Path, hidden: int) -> None:
    """Write a .keras file as Keras does, without it: random weights would cost it minutes."""
    layers = [
        _entry("LSTM", hidden, "first"),
        {
            "class_name": "Bidirectional",
            "config": {"name": "both", "layer": _entry("GRU", hidden // 2, "gru"), "merge_mode": "concat"},
        },
        _entry("LSTM", hidden, "last"),
    ]
    first = {"class_name": "InputLayer", "config": {"batch_shape": [None, None, hidden // 4], "name": "x"}}
    config = {"module": "keras", "class_name": "Sequential", "config": {"name": "model", "layers": [first, *layers]}}
    with tempfile.TemporaryDirectory(dir=path.parent) as folder, h5py.File(f"{folder}/h5", "w") as h5:
        _fill(h5, "layers/lstm", hidden // 4, hidden, 4)
        for way in ("forward", "backward"):
            _fill(h5, f"layers/bidirectional/{way}_layer", hidden, hidden // 2, 3)
        _fill(h5, "layers/lstm_1", hidden // 2 * 2, hidden, 4)
        h5.flush()
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
            archive.writestr("config.json", json.dumps(config))
            with Path(f"{folder}/h5").open("rb") as source, archive.open("model.weights.h5", "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target, io.DEFAULT_BUFFER_SIZE << 8)


def _entry(kind: str, units: int, name: str) -> dict[str, object]:
    return {"module": "keras.layers", "class_name": kind, "config": {"name": name, "units": units, "return_sequences": True}}


def _fill(h5: h5py.File, place: str, inputs: int, hidden: int, gates: int) -> None:
    rng = np.random.default_rng(0)
    biases = (2, gates * hidden) if gates == 3 else (gates * hidden,)
    for number, shape in enumerate(((inputs, gates * hidden), (hidden, gates * hidden), biases)):
        h5[f"{place}/cell/vars/{number}"] = rng.standard_normal(shape, np.float32)


if __name__ == "__main__":
    main()
