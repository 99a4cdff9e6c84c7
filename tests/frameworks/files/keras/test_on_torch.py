"""Models of Keras on its torch backend, saved by torch, are read as what Keras computed.

Covers: `frameworks/files/keras/on_torch.py`, `frameworks/files/torch/modules.py`, `frameworks/files/torch/objects.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frameworks.files import Checkpoint, open_checkpoint

pytestmark = pytest.mark.frameworks

WRITING = """
import os, sys
os.environ["KERAS_BACKEND"] = "torch"
import keras, numpy as np, torch
kinds, rng = keras.layers, np.random.default_rng(0)
model = keras.Sequential([
    keras.Input((3, 3)), kinds.Dense(3, activation="tanh", name="first"),
    kinds.Bidirectional(kinds.GRU(5, return_sequences=True), name="both"),
    kinds.RNN([kinds.LSTMCell(4), kinds.GRUCell(6), kinds.GRUCell(2)], return_sequences=True, name="stack"),
    keras.Sequential([kinds.LSTM(4, dropout=0.1, name="last")], name="inner"), kinds.Dense(2, name="out")])
model.set_weights([rng.normal(0, 0.4, weight.shape) for weight in model.get_weights()])
os.chdir(sys.argv[1])
x = rng.normal(size=(2, 3, 3)).astype("float32")
parts = [keras.Model(model.inputs, layer.output)(x) for layer in model.layers]
results = {f"after {index}": keras.ops.convert_to_numpy(part) for index, part in enumerate(parts)}
np.savez("results.npz", x=x, **results)
torch.save(model.state_dict(), "state.pt")
torch.save(model, "whole.pt")
model.export("exported.pt2", format="torch", verbose=False)

class Mixed(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.head = kinds.LSTM(4), torch.nn.Linear(4, 2)
        self.encoder.build((None, 3, 3))

torch.save(Mixed().state_dict(), "mixed.pt")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("on_torch")
    env = {**os.environ, "KERAS_BACKEND": "torch"}
    subprocess.run([sys.executable, "-W", "ignore", "-c", WRITING, str(folder)], check=True, env=env, capture_output=True)
    return folder


FLAGS: dict[str | None, dict[str, Any]] = {None: {"return_sequences": True}}


@pytest.mark.parametrize("file", ["state.pt", "exported.pt2"])
def test_a_state_dict_is_read_as_what_keras_computed(file: str, folder: Path) -> None:
    with np.load(folder / "results.npz") as archive:
        results = dict(archive)
    checkpoint = open_checkpoint(folder / file, options=FLAGS)
    assert set(checkpoint) == {"both", "stack", "inner/last"}
    np.testing.assert_allclose(np.asarray(checkpoint["both"].forward(results["after 0"]).output), results["after 1"], atol=1e-6)
    x = results["after 1"]
    for part in checkpoint["stack"].parts:
        x = np.asarray(part.forward(x).output)
    np.testing.assert_allclose(x, results["after 2"], atol=1e-6)
    np.testing.assert_allclose(np.asarray(checkpoint["inner/last"].forward(x).output)[:, -1], results["after 3"], atol=1e-6)
    dense = checkpoint.others["out"].arrays
    np.testing.assert_allclose(results["after 3"] @ dense["kernel"] + dense["bias"], results["after 4"], atol=1e-6)
    assert not [name for name in checkpoint.others if "seed" in name]


def said(checkpoint: Checkpoint) -> str:
    return " ".join(warning for _, layer in checkpoint.in_order for warning in layer.warnings)


def test_what_is_assumed_is_said_without_an_architecture_that_the_format_refuses(folder: Path, refused: Any) -> None:
    found = said(open_checkpoint(folder / "state.pt"))
    assert "activation of Dense is not stated" in found
    assert "return_sequences=True (by its size, a recurrent layer reads its output)" in found
    assert "architecture" not in found
    with refused("architecture for state.pt"):
        open_checkpoint(folder / "state.pt", architecture={})


def test_a_keras_layer_in_a_torch_module_has_the_modules_name(folder: Path) -> None:
    checkpoint = open_checkpoint(folder / "mixed.pt")
    assert (list(checkpoint), list(checkpoint.others)) == (["encoder"], ["head"])
    assert checkpoint["encoder"].origin == "keras"
    assert checkpoint.others["head"].kind == "Linear"


def test_a_whole_pickled_model_is_named_with_the_way_on(folder: Path, refused: Any) -> None:
    with refused("a whole Keras model", "model.save('model.keras')"):
        open_checkpoint(folder / "whole.pt")
