"""Write the files in this folder with Keras 2 in its own environment, and record what its layers return.

python3.11 -m venv keras2 && keras2/bin/pip install "tensorflow-cpu==2.12.*" "numpy<2"
keras2/bin/python make.py          and the same with 2.15
"""

# mypy: ignore-errors
from pathlib import Path

import keras
import numpy as np

VERSION = "_".join(keras.__version__.split(".")[:2])
HERE = Path(__file__).parent


def masked():
    """Masked layers of every kind, each with an activation or a flag that ports often get wrong."""
    kinds = keras.layers
    ids = keras.Input((6,), dtype="int32", name="ids")
    x = kinds.Embedding(9, 3, mask_zero=True, name="embedding")(ids)
    layers = [
        kinds.LSTM(2, recurrent_activation="hard_sigmoid", return_sequences=True, name="lstm"),
        kinds.GRU(2, return_sequences=True, return_state=True, name="gru"),
        kinds.GRU(2, reset_after=False, activation="relu", recurrent_activation="hard_sigmoid", name="gru_before"),
        kinds.SimpleRNN(2, use_bias=False, go_backwards=True, return_sequences=True, name="rnn"),
        kinds.Bidirectional(
            kinds.GRU(2, recurrent_activation="hard_sigmoid", return_sequences=True), merge_mode="mul", name="both"
        ),
        kinds.RNN([kinds.LSTMCell(2), kinds.GRUCell(3)], return_sequences=True, name="cells"),
    ]
    outputs = []
    for layer in layers:
        results = layer(x)
        outputs += results if isinstance(results, (list, tuple)) else [results]
    outputs.append(kinds.TimeDistributed(kinds.Dense(2), name="each")(outputs[0]))
    return keras.Model(ids, [x, *outputs]), [layer.name for layer in layers]


def stacked():
    """A Sequential model whose weights are saved without the architecture."""
    kinds = keras.layers
    return keras.Sequential(
        [
            keras.Input((5, 3)),
            kinds.Bidirectional(kinds.LSTM(2, return_sequences=True), name="first"),
            kinds.GRU(3, recurrent_activation="hard_sigmoid", return_sequences=True, name="second"),
            kinds.SimpleRNN(2, activation="relu", name="third"),
            kinds.Dense(1, name="dense"),
        ]
    )


def main():
    """Write all files."""
    rng = np.random.default_rng(int(VERSION[-2:]))
    functional, names = masked()
    sequential = stacked()
    for model in (functional, sequential):
        model.set_weights([rng.uniform(-0.8, 0.8, weight.shape) for weight in model.get_weights()])
    if VERSION == "2_12":
        functional.save(HERE / f"masked_{VERSION}.h5", save_format="h5", include_optimizer=False)
    functional.save(HERE / f"masked_{VERSION}.keras", save_format="keras_v3" if VERSION == "2_12" else "keras")
    sequential.save_weights(HERE / f"stacked_{VERSION}_weights.h5")
    (HERE / f"stacked_{VERSION}.json").write_text(sequential.to_json())
    ids = np.array([[3, 1, 4, 1, 5, 2], [2, 7, 0, 0, 0, 0], [0, 0, 0, 6, 8, 5]], "int32")
    embedded, *outputs = functional(ids)
    x = rng.normal(size=(2, 5, 3)).astype("float32")
    results = {"ids": ids, "embedded": embedded, "names": np.array(names), "x": x, "stacked": sequential(x)}
    for number, output in enumerate(outputs):
        results[f"output_{number}"] = output
    np.savez_compressed(HERE / f"results_{VERSION}.npz", **{name: np.asarray(array) for name, array in results.items()})


if __name__ == "__main__":
    main()
