"""Two thousand damaged files: each is read or refused, none crashes, hangs or fills the memory."""

from __future__ import annotations

import random
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

FUZZ = Path(__file__).with_name("fuzz.py")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Small files, so that a mutation seldom falls into the middle of a kernel."""
    import warnings

    import keras

    model = keras.Sequential([keras.Input((None, 3)), keras.layers.Bidirectional(keras.layers.LSTM(2)), keras.layers.Dense(1)])
    found = [tmp_path_factory.mktemp("fuzz") / name for name in ("model.h5", "model.keras", "model.weights.h5")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # h5 is a legacy format
        model.save(found[0])
        model.save(found[1])
        model.save_weights(found[2])
    return found


def test_every_mutation_of_a_file_is_read_or_refused(files: list[Path]) -> None:
    run = subprocess.run([sys.executable, FUZZ, "--count", "2000", *files], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    read, refused = (int(part.split()[0]) for part in run.stdout.split(";")[0].split(",")[:2])
    assert read + refused == 2000
    assert min(read, refused) > 300


def test_an_error_of_another_kind_is_noticed(files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_from_file_location("fuzz", FUZZ)
    assert spec is not None
    assert spec.loader is not None
    fuzz: Any = module_from_spec(spec)
    spec.loader.exec_module(fuzz)

    def fail(path: Path) -> None:
        raise KeyError(path)

    monkeypatch.setattr(fuzz, "read_all", fail)
    assert "KeyError" in fuzz.try_one(files[0].read_bytes(), ".h5", random.Random(0), tmp_path)
