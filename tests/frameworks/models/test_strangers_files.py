"""Models as strangers save them: each becomes torch source and a file of today's Keras that compute the same.

Covers: `frameworks/models/porting.py`, `frameworks/models/keras/saving.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tf_keras
import torch

from frameworks.errors import GatewiseError
from frameworks.files import save_checkpoint
from frameworks.files.checkpoint import open_checkpoint
from frameworks.models import port_model, to_source
from frameworks.models.keras.saving import save_model
from frameworks.models.reading import read_graph

pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file:UserWarning")  # tf_keras's

Layers = keras.layers
RNG = np.random.default_rng(3)


def initial_states() -> Any:
    x, d = keras.Input((7, 4), name="x"), keras.Input((5, 3), name="d")
    _, *states = Layers.LSTM(6, return_state=True, name="encoder")(x)
    y = Layers.LSTM(6, return_sequences=True, name="decoder")(d, initial_state=states)
    return keras.Model([x, d], Layers.Dense(2, activation="softmax", name="out")(y))


def hard_sigmoid() -> Any:
    lstm = tf_keras.layers.LSTM(5, recurrent_activation="hard_sigmoid", name="lstm_1")
    return tf_keras.Sequential([tf_keras.Input((7, 4)), lstm, tf_keras.layers.Dense(1, activation="sigmoid", name="dense_1")])


def convolutional_alone() -> Any:
    layers = [Layers.ConvLSTM2D(3, 3, name="convolutional"), Layers.Flatten(), Layers.Dense(1)]
    return keras.Sequential([keras.Input((5, 8, 8, 1)), *layers])


def convolutional_and_lstm() -> Any:
    first = Layers.ConvLSTM2D(3, 3, return_sequences=True, name="convolutional")
    rest = [Layers.TimeDistributed(Layers.Flatten()), Layers.LSTM(4, name="lstm"), Layers.Dense(1)]
    return keras.Sequential([keras.Input((5, 8, 8, 1)), first, *rest])


def recurrent_at_each_step() -> Any:
    inner = keras.Sequential([Layers.Dense(6), Layers.Reshape((6, 1)), Layers.GRU(3)], name="inner")
    steps = [
        Layers.TimeDistributed(Layers.Bidirectional(Layers.LSTM(5)), name="both"),
        Layers.TimeDistributed(inner, name="each"),
    ]
    return keras.Sequential([keras.Input((3, 6, 4)), *steps, Layers.LSTM(2, name="lstm")])


def siamese() -> Any:
    a, b, shared = keras.Input((6, 4)), keras.Input((6, 4)), Layers.LSTM(5, name="shared")
    return keras.Model([a, b], Layers.Dense(1)(Layers.Concatenate()([shared(a), shared(b)])))


def mask_through_layers() -> Any:
    steps = [
        Layers.Masking(-1.0, name="mask"),
        Layers.Dropout(0.1),
        Layers.LSTM(5, return_sequences=True, name="first"),
        Layers.BatchNormalization(name="norm"),
        Layers.LSTM(3, name="second"),
    ]
    return keras.Sequential([keras.Input((6, 4)), *steps])


def stateful() -> Any:
    steps = [Layers.LSTM(5, stateful=True, name="stateful"), Layers.Dense(1)]
    return keras.Sequential([keras.Input(batch_shape=(2, 6, 4)), *steps])


@pytest.mark.parametrize(
    ("make", "ending"),
    [
        (initial_states, ".keras"),
        (initial_states, ".h5"),
        (hard_sigmoid, ".h5"),
        (convolutional_alone, ".keras"),
        (convolutional_and_lstm, ".keras"),
        (recurrent_at_each_step, ".keras"),
        (recurrent_at_each_step, ".h5"),
        (siamese, ".keras"),
        (mask_through_layers, ".keras"),
        (stateful, ".keras"),
    ],
)
def test_both_ports_compute_what_the_model_does(make: Callable[[], Any], ending: str, tmp_path: Path) -> None:
    model = make()
    model.set_weights([np.abs(RNG.normal(size=array.shape)).astype(array.dtype) * 0.4 for array in model.get_weights()])
    inputs = [RNG.normal(size=(2, *each.shape[1:])).astype("float32") for each in model.inputs]
    inputs[0][1, [0, 2]] = -1.0  # masked where there is a mask of such steps
    path, new = tmp_path / f"model{ending}", tmp_path / "new.keras"
    model.save(path)
    expected = np.asarray(model(inputs if len(inputs) > 1 else inputs[0]))
    with torch.no_grad():
        found = port_model(path)(*map(torch.from_numpy, inputs)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    save_model(new, read_graph(path))
    again = np.asarray(keras.saving.load_model(new)(inputs if len(inputs) > 1 else inputs[0]))
    np.testing.assert_allclose(again, expected, atol=1e-6)
    if make is mask_through_layers:
        assert np.abs(expected - np.asarray(model(np.where(inputs[0] == -1.0, -0.9, inputs[0])))).max() > 1e-3


def test_keras_1_with_an_array_for_each_gate(tmp_path: Path) -> None:
    shape = {"W": (4, 5), "U": (5, 5), "b": (5,)}
    arrays = {(part, gate): RNG.normal(size=size).astype("float32") for gate in "icfo" for part, size in shape.items()}
    config = {"name": "lstm_1", "output_dim": 5, "batch_input_shape": [None, 7, 4], "activation": "tanh"}
    config |= {"inner_activation": "hard_sigmoid", "return_sequences": False, "consume_less": "cpu"}
    model = {"class_name": "Sequential", "keras_version": "1.2.2", "config": [{"class_name": "LSTM", "config": config}]}
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs["keras_version"], file.attrs["model_config"] = b"1.2.2", json.dumps(model).encode()
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"lstm_1"]
        layer = group.create_group("lstm_1")
        for (part, gate), array in arrays.items():
            layer[f"lstm_1_{part}_{gate}"] = array
        layer.attrs["weight_names"] = [f"lstm_1_{part}_{gate}".encode() for part, gate in arrays]
    x = RNG.normal(size=(2, 7, 4)).astype("float32")
    h = c = np.zeros((2, 5))
    for step in np.moveaxis(x, 1, 0):  # the equations of Keras 1
        gates = {gate: step @ arrays["W", gate] + h @ arrays["U", gate] + arrays["b", gate] for gate in "icfo"}
        i, f, o = (np.clip(0.2 * gates[gate] + 0.5, 0, 1) for gate in "ifo")
        c = f * c + i * np.tanh(gates["c"])
        h = o * np.tanh(c)
    np.testing.assert_allclose(port_model(tmp_path / "old.h5")(torch.from_numpy(x)).detach().numpy(), h, atol=1e-6)
    save_checkpoint(tmp_path / "new.keras", open_checkpoint(tmp_path / "old.h5"))
    np.testing.assert_allclose(np.asarray(keras.saving.load_model(tmp_path / "new.keras")(x)), h, atol=1e-6)


def test_a_subclass_that_changes_the_call_is_a_gap_and_no_lstm(tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable("mine")
    class Doubling(keras.layers.LSTM):  # type: ignore[misc]
        def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:  # noqa: FBT001, FBT002
            return super().call(sequences * 2, initial_state=initial_state, mask=mask, training=training)

    keras.Sequential([keras.Input((6, 4)), Doubling(5, name="my"), Layers.Dense(1)]).save(tmp_path / "model.keras")
    source = to_source(tmp_path / "model.keras")
    assert [(each.layer, each.kind) for each in source.gaps] == [("my", "Doubling")]
    with pytest.raises(GatewiseError, match="has layers that are left to you"):
        port_model(tmp_path / "model.keras")
