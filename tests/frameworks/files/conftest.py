"""Models of Keras 3 and tf_keras with recurrent layers of every kind and option, saved in every format."""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest


class Written(NamedTuple):
    """A live model and the folder that it was saved to."""

    model: Any
    folder: Path
    library: str


def layers_of_all_kinds(keras: Any) -> list[Any]:
    """Return recurrent layers of every kind and option, for inputs of 5 features."""
    kinds = keras.layers
    cells = [kinds.GRUCell(3), kinds.GRUCell(3)]
    return [
        kinds.LSTM(4, return_sequences=True, return_state=True, name="lstm_all"),
        kinds.LSTM(4, activation="relu", recurrent_activation="hard_sigmoid", name="zz"),
        kinds.LSTM(3, use_bias=False, go_backwards=True, return_sequences=True, dropout=0.25, recurrent_dropout=0.5, name="aa"),
        kinds.GRU(4, reset_after=False, recurrent_activation="hard_sigmoid", return_state=True),
        kinds.Bidirectional(kinds.GRU(3, return_state=True), name="both"),
        kinds.Bidirectional(kinds.SimpleRNN(2), backward_layer=kinds.SimpleRNN(2, go_backwards=True), merge_mode="mul"),
        kinds.RNN(cells, return_sequences=True, return_state=True),
        kinds.RNN([kinds.SimpleRNNCell(4), kinds.LSTMCell(3)], name="unlike"),
        kinds.Bidirectional(
            kinds.RNN([kinds.GRUCell(3), kinds.LSTMCell(2)], return_sequences=True), merge_mode="ave", name="deep"
        ),
    ]


def functional(keras: Any) -> Any:
    """Build a model of these layers, with a mask, a shared layer, a frozen and a nested model, and other layers."""
    kinds = keras.layers
    ids = keras.Input((7,), dtype="int32")
    masked = kinds.Embedding(11, 5, mask_zero=True, name="embedding")(ids)
    outputs: list[Any] = []
    for layer in layers_of_all_kinds(keras):
        returned = layer(masked)
        outputs += returned if isinstance(returned, (list, tuple)) else [returned]
    shared = kinds.LSTM(5, return_sequences=True, name="shared")
    inner = keras.Sequential(
        [
            keras.Input((7, 5)),
            kinds.LSTM(5, return_sequences=True, trainable=False),
            kinds.BatchNormalization(),
            kinds.Bidirectional(kinds.GRU(3, return_sequences=True)),
            kinds.LayerNormalization(),
        ],
        name="inner",
    )
    sequence = inner(kinds.Conv1D(5, 3, padding="same")(shared(shared(masked))))
    outputs.append(kinds.TimeDistributed(kinds.Dense(3))(sequence))
    return keras.Model(ids, outputs)


def save(model: Any, folder: Path, library: str) -> Written:
    """Save a model in every format that the library has."""
    model.save(folder / "model.h5")
    model.save(folder / "model.keras")
    model.save_weights(folder / "model.weights.h5")
    (folder / "model.json").write_text(model.to_json())
    if library == "tf_keras":
        model.save_weights(folder / "weights_alone.h5")
    return Written(model, folder, library)


@pytest.fixture(params=["keras", "tf_keras"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    library = request.param
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # h5 is a legacy format, and Keras 3 warns that the convolution drops the mask
        model = functional(import_module(library))
        rng = np.random.default_rng(0)
        model.set_weights([rng.uniform(0.1, 0.6, weight.shape) for weight in model.get_weights()])
        return save(model, tmp_path_factory.mktemp(library), library)
