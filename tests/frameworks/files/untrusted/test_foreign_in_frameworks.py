"""What a message says to do with a file of TensorFlow, or with a pickled model, leads to a file with the same weights.

Covers: `frameworks/files/untrusted/foreign_files.py`, `frameworks/files/untrusted/foreign_code.py`.
"""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from frameworks import adapt
from frameworks.files import StoredLayer, open_checkpoint
from tests.frameworks.files.untrusted.test_foreign_files import line_of, message_for


@pytest.fixture(scope="module")
def model(randomise: Any) -> Any:
    layers = [keras.layers.Bidirectional(keras.layers.LSTM(4, return_sequences=True), name="enc"), keras.layers.GRU(5)]
    return randomise(keras.Sequential([keras.Input((7, 3)), *layers, keras.layers.Dense(2)]))


def run_here(line: str) -> None:
    """Run a line in this process, which has imported TensorFlow already."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras 2 warns of h5 files
        exec(line, {})  # noqa: S102  a line of gatewise's own


def parts_of(path: Path) -> list[StoredLayer]:
    """Return the cells of a file, the forward one of two first and those of a GRU last."""
    parts = [part for layer in open_checkpoint(path).values() for part in layer.parts]
    return sorted(parts, key=lambda part: (part.cells[0][0].spec.cell == "gru", "backward" in part.name))


def require_weights(parts: list[StoredLayer], expected: list[Any]) -> None:
    """Compare cells with the weights of a Keras model: kernel, recurrent kernel and bias of each."""
    assert [part.cells[0][0].spec.cell for part in parts] == ["lstm", "lstm", "gru"]
    for number, part in enumerate(parts):
        arrays = part.cells[0][0].arrays
        for name, array in zip(("kernel", "recurrent_kernel", "bias"), expected[3 * number : 3 * number + 3], strict=True):
            np.testing.assert_array_equal(arrays[name].read(), array)


def test_an_exported_model_of_keras_3_leads_to_the_same_weights(model: Any, tmp_path: Path) -> None:
    model.export(tmp_path / "exported", verbose=False)
    message = message_for(tmp_path / "exported")
    assert "`model.export` of Keras 3" in message
    require_weights(parts_of(Path(message.rpartition(" open its weights, ")[2].removesuffix("."))), model.get_weights())


def test_a_checkpoint_of_keras_3_has_the_same_weights(model: Any, tmp_path: Path) -> None:
    tf.train.Checkpoint(model=model).write(str(tmp_path / "step"))
    parts = parts_of(tmp_path / "step")
    require_weights(parts, model.get_weights())
    with pytest.raises(AssertionError):
        require_weights(parts, [np.negative(array) for array in model.get_weights()])


@pytest.mark.parametrize("ending", ["index", "data-00000-of-00001"])
def test_any_file_of_a_checkpoint_leads_to_it(ending: str, model: Any, tmp_path: Path) -> None:
    tf.train.Checkpoint(model=model).write(str(tmp_path / "step"))
    if ending != "index":
        assert message_for(tmp_path / f"step.{ending}").endswith("Pass its .index file.")
    require_weights(parts_of(tmp_path / "step.index"), model.get_weights())


def test_a_pickled_keras_model_leads_to_the_same_model(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    monkeypatch.chdir(tmp_path)
    run_here(line_of(message_for(Path("model.pkl"))))
    stored = open_checkpoint("model.keras")["enc"]
    for (_, _, actual), (_, _, wanted) in zip(stored.weights, adapt(model.layers[0]).get_weights(), strict=True):
        for (part, array), (_, expected) in zip(actual.arrays(), wanted.arrays(), strict=True):
            np.testing.assert_array_equal(array, expected, err_msg=part)


def test_a_frozen_graph_is_called_one(tmp_path: Path, refused: Any) -> None:
    graph = tf.Graph()
    with graph.as_default():
        _ = tf.compat.v1.placeholder(tf.float32, (None, 3), name="input") @ tf.constant([[1.0], [2.0], [3.0]], name="kernel")
    (tmp_path / "frozen.pb").write_bytes(graph.as_graph_def().SerializeToString())
    with refused("frozen.pb", "a frozen graph of TensorFlow (a GraphDef)"):
        open_checkpoint(tmp_path / "frozen.pb")
