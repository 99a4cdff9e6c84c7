"""What files of Keras leave open, what the user states of them, and what a written file does not hold."""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import tf_keras
import torch
from torch import nn

from frameworks.files import open_checkpoint, save_checkpoint
from gatewise import assert_parity, check_parity, convert, copy_weights
from tests.remedies.arrays import LAYERS, X, array, close, drawn, filled, lstm, tensor
from tests.remedies.cases_keras import message_of, run, sequential
from tests.remedies.following import advises, case, refuses


@case
def weights_without_their_model(folder: Path) -> None:
    layer = LAYERS.LSTM(4, activation="relu", return_sequences=True, name="rnn")
    model = sequential(layer, LAYERS.BatchNormalization(epsilon=0.1, name="norm"), LAYERS.Dense(2, name="head"))
    path = folder / "m.weights.h5"
    model.save_weights(path)
    (folder / "m.json").write_text(model.to_json())
    bare = open_checkpoint(path)
    advises("*Options, or the JSON of the architecture, override that.", bare["rnn"].warnings)
    advises("*Keras's defaults are assumed. The JSON of the architecture states them.", bare.others["norm"].warnings)
    options = {"activation": "relu", "recurrent_activation": "sigmoid", "return_sequences": True, "return_state": False}
    told = open_checkpoint(path, options={"rnn": {**options, "go_backwards": False}})["rnn"]
    described = open_checkpoint(path, architecture=folder / "m.json")
    for stored in (told, described["rnn"]):
        assert not stored.warnings
        assert_parity(layer, stored)
    assert described.others["norm"].config["epsilon"] == 0.1
    assert not described.others["norm"].warnings
    other = sequential(LAYERS.Dense(2, name="mine"), LAYERS.LSTM(4, name="rnn"))
    other.save_weights(folder / "mine.weights.h5")
    arrays = dict(open_checkpoint(folder / "mine.weights.h5").others["mine"].arrays)
    h5py: Any = import_module("h5py")
    with h5py.File(folder / "mine.weights.h5", "a") as file:
        file["layers/own/vars/0"], file["layers/own/vars/1"] = arrays.values()
        file["layers/own/vars"].attrs["name"] = "own"
    advises(
        "the file does not state its class; if it is a *, say so with --option NAME.kind=CLASS.",
        open_checkpoint(folder / "mine.weights.h5").others["own"].warnings,
    )
    head = open_checkpoint(folder / "mine.weights.h5", options={"own": {"kind": "Dense"}}).others["own"]
    assert list(head.arrays) == ["kernel", "bias"]
    with refuses("These fit: *Dense*."):
        open_checkpoint(folder / "mine.weights.h5", options={"own": {"kind": "Conv2D"}})


@case
def weights_without_a_recurrent_layer(folder: Path) -> None:
    model = sequential(LAYERS.Flatten(), LAYERS.Dense(2, name="head"))
    model.save_weights(folder / "m.weights.h5")
    with refuses("There is nothing to port in it: open a file that has a recurrent layer."):
        open_checkpoint(folder / "m.weights.h5")
    recurrent = sequential(LAYERS.LSTM(4, name="rnn"))
    with h5py.File(folder / "cell.h5", "w") as file:
        for number, value in enumerate(recurrent.layers[0].get_weights()):
            file[f"vars/{number}"] = value
    with refuses("Open the model's own file, or pass the JSON of the architecture with its weights."):
        open_checkpoint(folder / "cell.h5")
    optimizer = keras.optimizers.SGD(momentum=0.9)
    optimizer.build(recurrent.trainable_variables)
    held: dict[str, Any] = {}
    optimizer.save_own_variables(held)
    with h5py.File(folder / "optimizer.h5", "w") as file:
        for name, value in held.items():
            file[f"vars/{name}"] = value
    with refuses("Open the model's own file."):
        open_checkpoint(folder / "optimizer.h5")
    recurrent.save(folder / "own.keras")
    assert_parity(recurrent.layers[0], open_checkpoint(folder / "own.keras")["rnn"])


@case
def options_of_a_layer_in_a_file(folder: Path) -> None:
    class Own(LAYERS.LSTMCell):  # type: ignore[misc]
        pass

    own = sequential(LAYERS.RNN(Own(4), name="own"))
    own.save(folder / "own.keras")
    with refuses(
        "The layer own is not read as a recurrent layer: its cell Own is not one of Keras's, and its code is not in the file. "
        "If it computes what LSTMCell does, say so with options={'own': {'cell': 'lstm'}}, or --option own.cell=lstm."
    ):
        open_checkpoint(folder / "own.keras")
    plain = filled(LAYERS.LSTM(4))
    plain.set_weights(own.get_weights())
    stored = open_checkpoint(folder / "own.keras", options={"own": {"cell": "lstm"}})["own"]
    assert_parity(plain, stored)
    activated = sequential(LAYERS.LSTM(4, activation=doubled, name="odd"))
    activated.save(folder / "odd.keras")
    with refuses("The layer odd *its activation is *; name its replacement with options={'odd': {'activation': ...}}."):
        open_checkpoint(folder / "odd.keras")
    assert open_checkpoint(folder / "odd.keras", options={"odd": {"activation": "tanh"}})["odd"].spec.activation == "tanh"
    gru = sequential(LAYERS.GRU(4, name="gru"))
    gru.save(folder / "gru.keras")
    with refuses("Leave the option out: the bias shows it."):
        open_checkpoint(folder / "gru.keras", options={"gru": {"reset_after": False}})
    assert_parity(gru.layers[0], open_checkpoint(folder / "gru.keras")["gru"])
    old: Any = import_module("tf_keras")
    timed = old.layers.LSTM(4, time_major=True, return_sequences=True, name="timed")
    first = old.Sequential([old.Input(batch_shape=(5, 2, 3)), timed])
    filled(first, X.swapaxes(0, 1))
    first.save(folder / "timed.keras")
    with refuses("The layer timed *Read it with the batch axis first, with options={'timed': {'time_major': False}}, or *"):
        open_checkpoint(folder / "timed.keras")
    rnn = open_checkpoint(folder / "timed.keras", options={"timed": {"time_major": False}})["timed"].convert("pytorch")
    close(rnn(tensor())[0], array(timed(X.swapaxes(0, 1))).swapaxes(0, 1))


@keras.saving.register_keras_serializable("gatewise_tests")  # type: ignore[untyped-decorator]
def doubled(x: Any) -> Any:
    """Return an activation of one's own."""
    return 2 * keras.ops.tanh(x)


@case
def initial_states_from_another_layer(folder: Path) -> None:
    inputs = keras.Input(X.shape[1:])
    states = LAYERS.LSTM(4, return_state=True, name="first")(inputs)[1:]
    second = LAYERS.LSTM(4, name="second")
    model = filled(keras.Model(inputs, second(inputs, initial_state=states)))
    model.save(folder / "m.keras")
    checkpoint = open_checkpoint(folder / "m.keras")
    advises("its model passes it initial states from *. Pass them to the layer, or it *", checkpoint["second"].warnings)
    one, other = (checkpoint[name].convert("pytorch") for name in ("first", "second"))
    close(other(tensor(), one(tensor())[1])[0][:, -1], model(X))
    assert np.abs(array(other(tensor())[0][:, -1]) - array(model(X))).max() > 1e-3


@case
def a_whole_model_to_write(folder: Path) -> None:
    layers = (LAYERS.LSTM(4, return_sequences=True, name="a"), LAYERS.BatchNormalization(), LAYERS.GRU(4, name="b"))
    model = sequential(*layers)
    with refuses("Write its recurrent layers by name:\ngatewise.save_checkpoint(path, *)\nFor the other layers too, *"):
        save_checkpoint(folder / "m.pt", {"m": model})
    run(
        message_of(lambda: save_checkpoint(folder / "m.pt", {"m": model})), "save_checkpoint", model=model, path=folder / "m.pt"
    )
    for name in "ab":
        assert_parity(model.get_layer(name), open_checkpoint(folder / "m.pt")[name])
    model.save(folder / "own.keras")
    save_checkpoint(folder / "whole.pt", open_checkpoint(folder / "own.keras"))
    assert {"a", "b", layers[1].name} <= {name for name, _ in open_checkpoint(folder / "whole.pt").in_order}


def caveats(path: Path, layers: Any) -> list[str]:
    """Write a file, and return what it does not hold."""
    return [caveat for each in save_checkpoint(path, layers, force=True) for caveat in each.caveats]


@case
def what_a_file_of_keras_does_not_hold(folder: Path) -> None:
    layer = LAYERS.LSTM(4, recurrent_activation="hard_sigmoid", return_sequences=True, name="rnn")
    model = sequential(layer, LAYERS.LSTM(4, name="last"))
    model.save(folder / "m.keras")
    stored = open_checkpoint(folder / "m.keras", options={"rnn": {"recurrent_activation": "keras2_hard_sigmoid"}})
    told = caveats(folder / "m.weights.h5", stored)
    advises("only weights are written: build the model's layer with recurrent_activation=*, return_sequences=True", told)
    advises("in a model that you build, pass keras2_hard_sigmoid as lambda x: keras.ops.clip(0.2 * x + 0.5, 0, 1)", told)
    activation = eval("lambda x: keras.ops.clip(0.2 * x + 0.5, 0, 1)", {"keras": keras})
    built = sequential(LAYERS.LSTM(4, recurrent_activation=activation, return_sequences=True), LAYERS.LSTM(4))
    built.load_weights(folder / "m.weights.h5")
    emulated = nn.Sequential(*(stored[name].emulate("pytorch") for name in stored))
    close(emulated(tensor()), built(X))
    model.save(folder / "plain.keras")
    plain = open_checkpoint(folder / "plain.keras")
    advises(
        "the layer is written by itself*port to a .weights.h5 file, *",
        caveats(folder / "apart.keras", {**plain, **plain.others}),
    )
    caveats(folder / "all.weights.h5", plain)
    again = keras.Sequential.from_config(model.get_config())
    again.load_weights(folder / "all.weights.h5")
    close(again(X), model(X))


@case
def other_layers_in_torch(folder: Path) -> None:
    unscaled = LAYERS.BatchNormalization(scale=False, name="norm")
    causal = LAYERS.Conv1D(4, 2, padding="causal", dilation_rate=2, name="causal")
    strided = LAYERS.Conv1D(4, 3, padding="same", strides=2, name="strided")
    x = drawn(2, 8, 3)
    model = keras.Sequential([keras.Input((8, 3)), causal, unscaled, strided, LAYERS.LSTM(4, name="rnn")])
    model(x)
    model.save(folder / "m.keras")
    told = caveats(folder / "m.pt", open_checkpoint(folder / "m.keras"))
    state = torch.load(folder / "m.pt")

    def loaded(module: Any, name: str, **how: Any) -> Any:
        own = {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}
        module.load_state_dict(own, **how)
        return module.eval()

    advises("padding='causal': pad the front of the input with (kernel_size - 1) * dilation zeros, with functional.pad", told)
    channels = tensor(x).swapaxes(1, 2)
    padded = nn.functional.pad(channels, ((2 - 1) * 2, 0))
    after = loaded(nn.Conv1d(3, 4, 2, dilation=2), "causal")(padded)
    close(after.swapaxes(1, 2), causal(x))
    advises("it has no *: load it with strict=False, *", told)
    normed = loaded(nn.BatchNorm1d(4, eps=1e-3), "norm", strict=False)(after)
    close(normed.swapaxes(1, 2), unscaled(causal(x)))
    advises("padding='same' with strides * pad the input like Keras, with more zeros at the end", told)
    both = loaded(nn.Conv1d(4, 4, 3, stride=2), "strided")(nn.functional.pad(normed, (0, 1)))
    close(both.swapaxes(1, 2), strided(unscaled(causal(x))))


@case
def notes_of_a_comparison() -> None:
    layer, rnn = lstm(go_backwards=True, return_sequences=True), nn.LSTM(3, 4, batch_first=True)
    copy_weights(layer, rnn)
    text = "*reads backwards: call * as rnn(x.flip(1)). Keras returns the outputs in the order of reading, so flip nothing back"
    advises(text, check_parity(layer, rnn).notes)
    close(rnn(tensor().flip(1))[0], layer(X))
    forwards, time_first = lstm(return_sequences=True), nn.LSTM(3, 4)
    copy_weights(forwards, time_first)
    advises("*call * as rnn(x.transpose(0, 1)) and transpose its output back, or *", check_parity(forwards, time_first).notes)
    close(time_first(tensor().transpose(0, 1))[0].transpose(0, 1), forwards(X))
    ids = np.array([[1, 2, 3, 0, 0], [4, 5, 6, 7, 0]], "int32")
    model = sequential(LAYERS.Embedding(9, 3, mask_zero=True), LAYERS.LSTM(4), inputs=ids, dtype="int32")
    masked, plain = model.layers[-1], nn.LSTM(3, 4, batch_first=True)
    copy_weights(masked, plain)
    advises(
        "without a mask, although *: mask or pack the input of actual too; check_parity(..., mask=mask) compares that call",
        check_parity(masked, plain).notes,
    )
    embedded = array(model.layers[0](ids))
    assert_parity(masked, plain, embedded, mask=ids != 0)
    twin = sequential(LAYERS.Embedding(9, 3, mask_zero=True), LAYERS.LSTM(4), inputs=ids, dtype="int32").layers[-1]
    copy_weights(masked, twin)
    both = "without a mask, although both get one in their models: check_parity(..., mask=mask) compares that call too"
    advises(both, check_parity(masked, twin).notes)
    assert_parity(masked, twin, embedded, mask=ids != 0)
    packed = nn.utils.rnn.pack_padded_sequence(tensor(embedded), torch.tensor([3, 4]), batch_first=True, enforce_sorted=False)
    close(plain(packed)[1][0][0], model(ids))


@case
def a_model_whose_layers_cannot_be_ported() -> None:
    class Doubled(LAYERS.LSTM):  # type: ignore[misc]
        def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
            return super().call(2 * sequences, initial_state, mask, training)

    own = sequential(Doubled(4, return_sequences=True, name="own"), LAYERS.Dense(4), LAYERS.LSTM(4, name="plain"))
    alone = sequential(Doubled(4, name="own"), LAYERS.Dense(4))
    with refuses(
        "Its recurrent layers cannot be ported; pass each alone to see why:\ngatewise.convert(model.get_layer('own'))\n*"
    ):
        convert(alone)
    with refuses("*model.get_layer('own') cannot be ported: pass it alone to see why.\n*"):
        convert(own)
    for model in (own, alone):
        with refuses("Make a plain LSTM of its get_config() and get_weights(), pass that, and *"):
            convert(model.get_layer("own"))


@case
def what_keras_3_cannot_have(folder: Path) -> None:
    theirs = tf_keras.layers
    kinds = (theirs.LSTM(4, activation="hard_sigmoid", return_sequences=True, name="old"), theirs.Dense(2, name="head"))
    model = tf_keras.Sequential([tf_keras.Input((5, 3)), *kinds])
    model.set_weights([drawn(*each.shape) for each in model.get_weights()])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(folder / "old.h5")
    checkpoint = open_checkpoint(folder / "old.h5")
    with refuses("Port to a .weights.h5 file, build the model in Keras with a layer of your own in its place, and load *"):
        save_checkpoint(folder / "new.keras", checkpoint)
    save_checkpoint(folder / "new.weights.h5", checkpoint)
    gate = lambda x: keras.ops.clip(0.2 * x + 0.5, 0, 1)  # noqa: E731
    mine = LAYERS.LSTM(4, activation=gate, return_sequences=True)
    built = keras.Sequential([keras.Input((5, 3)), mine, LAYERS.Dense(2)])
    built.load_weights(folder / "new.weights.h5")
    close(array(model(X)), built(X))


@case
def a_whole_model_without_its_architecture(folder: Path) -> None:
    model = sequential(LAYERS.LSTM(4, return_sequences=True, name="rnn"), LAYERS.Dense(2, name="head"))
    model.save_weights(folder / "m.weights.h5")
    (folder / "m.json").write_text(model.to_json())
    with refuses("Pass the JSON that model.to_json() returned as --architecture*Or port to a .weights.h5 file, build *"):
        save_checkpoint(folder / "new.keras", open_checkpoint(folder / "m.weights.h5"))
    told = caveats(folder / "new.keras", open_checkpoint(folder / "m.weights.h5", architecture=folder / "m.json"))
    new = keras.saving.load_model(folder / "new.keras")
    close(new(X), model(X))
    advises("*compile the model before you train it further", told)
    new.compile("sgd", "mse")
    new.fit(X, new.predict(X, verbose=0), verbose=0)
    save_checkpoint(folder / "again.weights.h5", open_checkpoint(folder / "m.weights.h5"))
    again = keras.Sequential.from_config(model.get_config())
    again.load_weights(folder / "again.weights.h5")
    close(again(X), model(X))
