"""A layer with Keras 2's hard_sigmoid is the same as one with Keras 3's and 1.2 times its arrays, and no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import pytest
import tf_keras

from compare.checkpoints.verification import verify
from frameworks.files import save_checkpoint
from frameworks.files.checkpoint import open_checkpoint

NAMES = ("lstm", "both", "conv", "dense")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A file of Keras 2, and its port to today's Keras."""
    folder, layers = tmp_path_factory.mktemp("hard_sigmoids"), tf_keras.layers
    old, new = folder / "old.keras", folder / "new.keras"
    gated: dict[str, Any] = {"recurrent_activation": "hard_sigmoid", "return_sequences": True}
    steps = (
        layers.LSTM(3, **gated, name="lstm"),
        layers.Bidirectional(layers.GRU(2, **gated), name="both"),
        layers.Conv1D(2, 2, activation="hard_sigmoid", name="conv"),
        layers.Dense(2, activation="hard_sigmoid", name="dense"),
    )
    tf_keras.Sequential([layers.Input((None, 4)), *steps]).save(old)
    save_checkpoint(new, open_checkpoint(old))
    return old, new


def test_a_port_with_scaled_arrays_is_the_same_and_the_note_says_why(files: tuple[Path, Path]) -> None:
    found = verify(open_checkpoint(files[0]), files[1])
    assert [(row.expected, row.verdict) for row in found.rows] == [((name,), "same") for name in NAMES]
    assert all("with 1.2 times the arrays" in row.notes[0] for row in found.rows)
    assert verify(open_checkpoint(files[1]), files[0]).status == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_port_whose_arrays_were_not_scaled_differs(name: str, files: tuple[Path, Path], tmp_path: Path) -> None:
    model = keras.saving.load_model(files[1])
    layer = model.get_layer(name)
    layer.set_weights([array / 1.2 for array in layer.get_weights()])
    model.save(tmp_path / "wrong.keras")
    found = verify(open_checkpoint(files[0]), tmp_path / "wrong.keras")
    assert [row.expected[0] for row in found.rows if row.verdict == "differs"] == [name]
