"""Two thousand damaged files: each is read or refused, and none crashes, hangs or exhausts memory.

Covers: `frameworks/files`.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from frameworks.files import open_checkpoint, save_checkpoint

FUZZ = Path(__file__).with_name("fuzz.py")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Small files, in which a mutation seldom hits the middle of a kernel."""
    import warnings

    import keras

    model = keras.Sequential([keras.Input((None, 3)), keras.layers.Bidirectional(keras.layers.LSTM(2)), keras.layers.Dense(1)])
    paths = [tmp_path_factory.mktemp("fuzz") / name for name in ("model.h5", "model.keras", "model.weights.h5")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # h5 is a legacy format
        model.save(paths[0])
        model.save(paths[1])
        model.save_weights(paths[2])
    described = [paths[0].with_name(f"described{ending}") for ending in (".npz", ".safetensors", ".pt")]
    for path in described:
        save_checkpoint(path, open_checkpoint(paths[1]))
    return [*paths, *described, *_torch_files(paths[0].parent)]


def _torch_files(folder: Path) -> list[Path]:
    import torch
    from torch import nn

    from tests.frameworks.files.onnx import test_files as onnx_files
    from tests.frameworks.files.torch import test_files as torch_files

    module = nn.ModuleDict({"lstm": nn.LSTM(2, 3, bidirectional=True), "linear": nn.Linear(2, 1), "gru": nn.GRU(2, 2)})
    torch.save(module.state_dict(), folder / "model.pt")
    torch.save({"model": module.state_dict(), "epoch": 1}, folder / "old.pth", _use_new_zipfile_serialization=False)
    torch_files.as_npz(module, folder / "model.npz")
    torch_files.as_safetensors(module, folder / "model.safetensors")
    arrays = onnx_files.onnx_arrays(module["gru"], "GRU", 1)
    (folder / "model.onnx").write_bytes(onnx_files.model("GRU", arrays, linear_before_reset=1, activations=["Sigmoid", "Tanh"]))
    return [folder / name for name in ("model.pt", "old.pth", "model.npz", "model.safetensors", "model.onnx")]


def test_every_mutation_of_a_file_is_read_or_refused(files: list[Path]) -> None:
    run = subprocess.run([sys.executable, FUZZ, "--count", "2000", *files], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    read, refused = (int(part.split()[0]) for part in run.stdout.split(";")[0].split(",")[:2])
    assert read + refused == 2000
    assert min(read, refused) > 200


def test_an_error_of_another_kind_is_detected(files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.frameworks.files.untrusted import fuzz

    def fail(path: Path, turn: int) -> None:
        raise KeyError(path, turn)

    monkeypatch.setattr(fuzz, "read_all", fail)
    assert "KeyError" in fuzz.try_one(files[0].read_bytes(), ".h5", 0, random.Random(0), tmp_path)
