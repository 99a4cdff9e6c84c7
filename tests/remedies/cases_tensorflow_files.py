"""Remedies for files of TensorFlow."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from frameworks.files import open_checkpoint, save_checkpoint
from frameworks.files.given_options import Options
from frameworks.models.reading import read_graph
from gatewise import assert_parity
from tests.remedies.arrays import LAYERS, X, array, close, filled, tensor
from tests.remedies.following import advises, case, refuses


def saved(folder: Path) -> Any:
    """Save a model of Keras 2 as a folder, and return it."""
    layers = [tf_keras.layers.Input(X.shape[1:]), tf_keras.layers.GRU(4, return_sequences=True, name="gru")]
    model = tf_keras.Sequential(layers)
    model.set_weights([np.random.default_rng(0).normal(size=each.shape) for each in model.get_weights()])
    model.save(folder, save_traces=False)
    return model


def require_weights(checkpoint: Any, model: Any) -> None:
    arrays = checkpoint["gru"].cells[0][0].arrays
    for name, expected in zip(("kernel", "recurrent_kernel", "bias"), model.get_weights(), strict=True):
        np.testing.assert_array_equal(arrays[name].read(), expected)


def in_tensorflow_1(layer: Any, prefix: Path) -> None:
    """Save the weights of a Keras LSTM as those of a BasicLSTMCell that adds nothing to its forget gate."""
    kernel, recurrent, bias = (np.split(np.asarray(each), 4, axis=-1) for each in layer.get_weights())
    order = (0, 2, 1, 3)
    joined = np.concatenate([np.concatenate([kernel[gate], recurrent[gate]]) for gate in order], axis=-1)
    arrays = {"a/basic_lstm_cell/kernel": joined, "a/basic_lstm_cell/bias": np.concatenate([bias[gate] for gate in order])}
    tf.raw_ops.SaveV2(
        prefix=str(prefix), tensor_names=list(arrays), shape_and_slices=[""] * len(arrays), tensors=list(arrays.values())
    )


@case
def what_a_checkpoint_of_tensorflow_1_does_not_state(folder: Path) -> None:
    layer = filled(LAYERS.LSTM(4, activation="relu", return_sequences=True, return_state=True))
    in_tensorflow_1(layer, folder / "a.ckpt")
    stated = open_checkpoint(folder / "a.ckpt")["a"].warnings
    advises("the checkpoint holds only weights; activation='tanh' is assumed. Options override that.", stated)
    advises("forget_bias=1.0 is assumed*pass it: --option NAME.forget_bias=VALUE.", stated)
    with refuses("Pass a number, such as 1.0."):
        open_checkpoint(folder / "a.ckpt", options={"a": {"forget_bias": None}})
    options: Options = {"a": {"forget_bias": 0.0, "activation": "relu"}}
    assert_parity(layer, open_checkpoint(folder / "a.ckpt", options=options)["a"])


@case
def a_file_or_folder_that_stands_for_a_checkpoint(folder: Path) -> None:
    layer = filled(LAYERS.LSTM(4, return_sequences=True, return_state=True))
    options: Options = {"a": {"forget_bias": 0.0}}
    for name in ("a", "b"):
        in_tensorflow_1(layer, folder / "both" / name)
    with refuses("Pass one of them, as in *both/b."):
        open_checkpoint(folder / "both")
    assert_parity(layer, open_checkpoint(folder / "both" / "b", options=options)["a"])
    with refuses("Pass its .index file."):
        open_checkpoint(folder / "both" / "b.data-00000-of-00001")
    assert_parity(layer, open_checkpoint(folder / "both" / "b.index", options=options)["a"])


@case
def a_link_out_of_a_folder(folder: Path) -> None:
    model = saved(folder / "model")
    (folder / "model" / "variables").rename(folder / "elsewhere")
    (folder / "model" / "variables").symlink_to(folder / "elsewhere")
    with refuses("If you trust it, copy the folder with the files that its links lead to, as `cp -rL` does."):
        open_checkpoint(folder / "model")
    shutil.copytree(folder / "model", folder / "copy", symlinks=False)
    require_weights(open_checkpoint(folder / "copy"), model)


@case
def a_saved_model_without_metadata(folder: Path) -> None:
    model = saved(folder / "model")
    (folder / "model" / "keras_metadata.pb").unlink()
    with refuses("If the model has a Keras file, open that. Otherwise open its weights, *variables/variables.index."):
        open_checkpoint(folder / "model")
    require_weights(open_checkpoint(folder / "model" / "variables" / "variables.index"), model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # h5 is a legacy format
        model.save(folder / "model.h5")
    require_weights(open_checkpoint(folder / "model.h5"), model)


class Tagger(tf_keras.Model):  # type: ignore[misc]
    """A model whose wiring is code."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = tf_keras.layers.LSTM(4, name="recurrent")

    def call(self, inputs: Any) -> Any:
        return self.recurrent(inputs)


@case
def a_model_that_is_a_class_of_its_own(folder: Path) -> None:
    model = Tagger()
    expected = np.asarray(model(X))
    model.save(folder / "model", save_traces=False)
    with refuses("Port its recurrent layers alone, to a .safetensors file, and write the rest after that code."):
        read_graph(folder / "model")
    save_checkpoint(folder / "layers.safetensors", open_checkpoint(folder / "model"))
    port = open_checkpoint(folder / "layers.safetensors")["recurrent"].convert("pytorch")
    close(array(port(tensor())[0])[:, -1], expected)
