"""A file as Keras 2 writes it: today's Keras refuses it, and opens what `gatewise port` makes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from compare.groundwork.tolerance import TOLERANCES
from compare.report.results import Results, exact, measured
from compare.report.snippets import run_snippet

MODEL = """\
model = keras.Sequential([
    keras.layers.Input((None,), dtype="int32"),
    keras.layers.Embedding(50, 8, mask_zero=True),
    keras.layers.LSTM(6),
    keras.layers.Dense(2, activation="softmax"),
])
"""


def old_file(folder: Path) -> Results:
    """Write the file, try to open it, port it, and open the result."""
    import keras

    _, names = run_snippet(MODEL, {"keras": keras})
    model, old, new = names["model"], folder / "old.h5", folder / "new.keras"
    model.save(old)
    _age(old)
    inputs = np.array([[4, 0, 7, 2, 0, 0], [0, 3, 9, 0, 5, 1]])
    try:
        keras.saving.load_model(old)
        message = ""
    except (ValueError, TypeError) as error:
        line = next(line for line in str(error).splitlines() if "time_major" in line)
        message = line[line.index("Unrecognized") :].strip()
    status = subprocess.run(  # noqa: S603  this interpreter, on a file that was written here
        [sys.executable, "-m", "gatewise", "port", str(old), str(new), "--quiet"], check=False
    ).returncode
    found = keras.saving.load_model(new)(inputs)
    off = float(np.abs(np.asarray(found) - np.asarray(model(inputs))).max())
    return {
        "model": exact(MODEL),
        "message": exact(message),
        "status": exact(status),
        "error": measured(off, TOLERANCES["float32"]),
    }


def _age(path: Path) -> None:
    """Make the file state what Keras 2 states."""
    import h5py

    with h5py.File(path, "r+") as file:
        config: Any = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "LSTM":
                layer["config"]["time_major"] = False
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = file["model_weights"].attrs["keras_version"] = "2.15.0"
