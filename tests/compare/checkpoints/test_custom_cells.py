"""A custom cell is neither the same, nor missing, nor different because the formats name it differently.

Covers: `compare/checkpoints`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from compare.checkpoints.verification import verify
from compare.checkpoints.verified import Row, Verification
from frameworks.files import open_checkpoint, save_checkpoint

Randomise = Callable[..., Any]


@keras.saving.register_keras_serializable("verified")
class Doubled(keras.layers.LSTMCell):  # type: ignore[misc]
    def call(self, *given: Any, **options: Any) -> Any:
        output, states = super().call(*given, **options)
        return output * 2, states


@keras.saving.register_keras_serializable("verified")
class Scaled(keras.layers.Dense):  # type: ignore[misc]
    def call(self, *given: Any, **options: Any) -> Any:
        return super().call(*given, **options) * 2


def wrapped(*, two: bool) -> Any:
    inner = keras.layers.RNN(Doubled(5), name="own")
    return keras.layers.Bidirectional(inner, name="own") if two else inner


def saved(randomise: Randomise, folder: Path, layer: Any) -> Any:
    """Save a model of a layer and an LSTM in three formats."""
    layers = [layer, keras.layers.Reshape((1, -1)), keras.layers.LSTM(2, name="lstm")]
    model = randomise(keras.Sequential([keras.Input((7, 3)), *layers]))
    model.save(folder / "model.keras")
    model.save(folder / "model.h5")
    model.save_weights(folder / "model.weights.h5")
    return model


def checked(one: Path, other: Path, only: Any = None) -> tuple[Verification, Row]:
    result = verify(open_checkpoint(one), other, only)
    return result, next(row for row in result.rows if row.name in ("own", "scaled"))


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("two", [False, True], ids=["one direction", "two directions"])
def test_the_arrays_of_a_custom_cell_are_found_in_every_format(*, two: bool, randomise: Randomise, tmp_path: Path) -> None:
    model = saved(randomise, tmp_path, wrapped(two=two))
    for name in ("model.h5", "model.weights.h5"):
        result, row = checked(tmp_path / "model.keras", tmp_path / name)
        assert (result.status, row.verdict) == (3, "not compared"), row.cause
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=array.shape) for array in model.get_weights()])
    model.save_weights(tmp_path / "other.weights.h5")
    result, row = checked(tmp_path / "model.keras", tmp_path / "other.weights.h5")
    assert (result.status, row.verdict) == (1, "differs")


def test_a_cell_that_the_options_vouch_for_in_one_file_alone_is_not_missing(randomise: Randomise, tmp_path: Path) -> None:
    saved(randomise, tmp_path, wrapped(two=False))
    vouched = open_checkpoint(tmp_path / "model.keras", options={"own": {"cell": "lstm"}})
    save_checkpoint(tmp_path / "port.npz", vouched)
    assert verify(vouched, tmp_path / "port.npz").status == 0
    for only in (None, ["own"]):
        for one, other in (("model.keras", "port.npz"), ("port.npz", "model.keras")):
            result, row = checked(tmp_path / one, tmp_path / other, only)
            assert (result.status, row.verdict) == (3, "not compared")
            assert "--option own.cell=lstm" in row.cause
    assert [row.name for row in checked(tmp_path / "model.keras", tmp_path / "port.npz", ["own"])[0].rows] == ["own"]
    assert verify(open_checkpoint(tmp_path / "model.keras"), tmp_path / "port.npz", ["lstm"]).status == 0


def test_arrays_that_a_file_numbers_are_compared_in_their_order(randomise: Randomise, tmp_path: Path) -> None:
    scaled = Scaled(4, name="scaled")
    scaled.build((None, 7, 3))
    model = saved(randomise, tmp_path, scaled)
    result, row = checked(tmp_path / "model.keras", tmp_path / "model.weights.h5")
    assert (result.status, row.verdict, len(row.comparisons)) == (0, "same", 2)
    kernel, bias = model.get_layer("scaled").get_weights()
    model.get_layer("scaled").set_weights([kernel, bias + np.eye(4, dtype="float32")[2]])
    model.save_weights(tmp_path / "other.weights.h5")
    result, row = checked(tmp_path / "model.keras", tmp_path / "other.weights.h5")
    assert (result.status, row.verdict) == (1, "differs")
    assert row.largest_error == pytest.approx(1, abs=1e-6)
