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


@pytest.fixture(scope="module")
def keras_2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a model of Keras 2 and its optimizer in TensorFlow's formats; the weights are also in expected.npz."""
    import tf_keras

    folder, layers = tmp_path_factory.mktemp("keras_2"), tf_keras.layers
    enc = layers.Bidirectional(layers.LSTM(4, return_sequences=True), name="enc")
    model = tf_keras.Sequential([layers.Input((7, 3)), enc, layers.GRU(5, name="gru"), layers.Dense(2, name="dense")])
    optimizer, rng = tf_keras.optimizers.Adam(), np.random.default_rng(0)
    optimizer.build(model.trainable_variables)
    model.set_weights([rng.normal(size=array.shape).astype("f4") for array in model.get_weights()])
    model.save(folder / "saved", save_traces=False)  # each layer's graph would take seconds
    model.save_weights(folder / "weights")
    tf.train.Checkpoint(model=model, optimizer=optimizer).save(str(folder / "steps" / "ckpt"))
    np.savez(folder / "expected.npz", *model.get_weights())
    return folder


def run_here(line: str) -> None:
    """Run a line in this process, which has imported TensorFlow already."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras 2 warns of h5 files
        exec(line, {})  # noqa: S102  a line of gatewise's own


def followed(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[StoredLayer]:
    """Run the line that a message for a path has, and return the cells of the file that it writes, those of a GRU last."""
    monkeypatch.chdir(folder)
    message = message_for(path)
    run_here(line_of(message))
    checkpoint = open_checkpoint(message.rpartition(" open ")[2].removesuffix("."))
    parts = [part for layer in checkpoint.values() for part in layer.parts]
    forward_first = sorted(parts, key=lambda part: ("backward" in part.name, part.cells[0][0].spec.cell == "gru"))
    return sorted(forward_first, key=lambda part: part.cells[0][0].spec.cell == "gru")


def require_weights(parts: list[StoredLayer], expected: list[Any]) -> None:
    """Compare cells with the weights of a Keras model: kernel, recurrent kernel and bias of each."""
    assert [part.cells[0][0].spec.cell for part in parts] == ["lstm", "lstm", "gru"]
    for number, part in enumerate(parts):
        arrays = part.cells[0][0].arrays
        for name, array in zip(("kernel", "recurrent_kernel", "bias"), expected[3 * number : 3 * number + 3], strict=True):
            np.testing.assert_array_equal(arrays[name].read(), array)


@pytest.mark.parametrize("path", ["weights.index", "steps/ckpt-1"])
def test_files_of_keras_2_lead_to_the_same_weights(
    path: str, keras_2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    within = (keras_2 / path).parent if "." in path else tmp_path  # a file is called by its name in its folder
    with np.load(keras_2 / "expected.npz") as saved:
        expected = [saved[name] for name in saved.files]
    require_weights(followed(keras_2 / path, within, monkeypatch), expected)


def test_the_saved_model_of_keras_2_keeps_its_layers_and_options(
    keras_2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = followed(keras_2 / "saved", tmp_path, monkeypatch)
    with np.load(keras_2 / "expected.npz") as saved:
        require_weights(parts, [saved[name] for name in saved.files])
    checkpoint = open_checkpoint("model.h5")
    options = checkpoint["enc"].options
    assert options
    assert (list(checkpoint), options.return_sequences) == (["enc", "gru"], True)
    assert checkpoint.others["dense"].known


def test_an_exported_model_of_keras_3_leads_to_the_same_weights(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.export(tmp_path / "exported", verbose=False)
    assert "pass the folder" in message_for(tmp_path / "exported" / "saved_model.pb").lower()
    require_weights(followed(tmp_path / "exported", tmp_path, monkeypatch), model.get_weights())


def test_a_checkpoint_of_keras_3_leads_to_the_same_weights(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tf.train.Checkpoint(model=model).write(str(tmp_path / "step"))
    parts = followed(tmp_path / "step", tmp_path, monkeypatch)
    require_weights(parts, model.get_weights())
    with pytest.raises(AssertionError):
        require_weights(parts, [np.negative(array) for array in model.get_weights()])


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
