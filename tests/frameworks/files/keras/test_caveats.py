"""What a Keras file states beside weights, or does not state, is named: wired states, convolutions, training, assumptions.

Covers: `frameworks/files/keras`.
"""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from frameworks.files import Checkpoint, open_checkpoint

pytestmark = pytest.mark.frameworks

LIBRARIES = pytest.mark.parametrize("library", ["keras", "tf_keras"])


@pytest.fixture(autouse=True)
def _legacy_files_are_meant() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def randomised(model: Any) -> Any:
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.1, 0.6, weight.shape) for weight in model.get_weights()])
    return model


@LIBRARIES
def test_initial_states_from_another_layer_are_named(library: str, tmp_path: Path) -> None:
    keras: Any = import_module(library)
    kinds = keras.layers
    x, start = keras.Input((7, 5)), keras.Input((4,), name="start")
    _, h, c = kinds.LSTM(4, return_state=True, name="encoder")(x)
    outputs = [
        kinds.LSTM(4, name="decoder")(x, initial_state=[h, c]),
        kinds.Bidirectional(kinds.GRU(4), name="both")(x, initial_state=[start, kinds.Dense(4, name="bridge")(h)]),
        kinds.GRU(4, name="from_input")(x, initial_state=start),
        kinds.GRU(4, name="from_zeros")(x),
        kinds.Add(name="sum")([h, c]),
    ]
    model = keras.Model([x, start], outputs)
    for file in ("model.keras", "model.h5"):
        model.save(tmp_path / file)
        checkpoint = open_checkpoint(tmp_path / file)
        states = {
            name: warning.partition("initial states from ")[2].partition(".")[0]
            for name, layer in checkpoint.items()
            for warning in layer.warnings
        }
        assert states == {"decoder": "encoder", "both": "start and bridge", "from_input": "start"}
        assert not any(other.warnings for other in checkpoint.others.values())


@LIBRARIES
@pytest.mark.parametrize("alone", [True, False])
def test_a_convolutional_recurrent_layer_carries_its_reason(library: str, alone: bool, tmp_path: Path, refused: Any) -> None:  # noqa: FBT001  a case
    keras: Any = import_module(library)
    kinds = keras.layers
    after = [kinds.GlobalAveragePooling2D()] if alone else [kinds.TimeDistributed(kinds.Flatten()), kinds.LSTM(2, name="lstm")]
    layer = kinds.ConvLSTM2D(3, 3, return_sequences=not alone, name="conv")
    keras.Sequential([keras.Input((5, 8, 8, 1)), layer, *after]).save(tmp_path / "model.keras")
    if alone:
        with refused("The layer conv is not read as a recurrent layer: its kernels are convolutions"):
            open_checkpoint(tmp_path / "model.keras")
    else:
        checkpoint = open_checkpoint(tmp_path / "model.keras")
        assert list(checkpoint) == ["lstm"]
        assert "its kernels are convolutions" in checkpoint.others["conv"].warnings[0]


@LIBRARIES
def test_what_training_leaves_in_a_file_is_no_layer(library: str, tmp_path: Path) -> None:
    keras: Any = import_module(library)
    model = keras.Sequential([keras.Input((6, 5)), keras.layers.LSTM(4), keras.layers.Dense(2)])
    before = saved_in_all_formats(model, tmp_path)
    model.compile("adam", "mse", metrics=["mae", keras.metrics.AUC()], run_eagerly=True)
    model.train_on_batch(np.zeros((2, 6, 5)), np.zeros((2, 2)))
    for untrained, checkpoint in zip(before, saved_in_all_formats(model, tmp_path), strict=True):
        assert list(checkpoint) == list(untrained)
        assert list(checkpoint.others) == [*untrained.others, "optimizer"]
        optimizer = checkpoint.others["optimizer"]
        assert "it is the state of the optimizer" in optimizer.warnings[0]
        assert not optimizer.arrays


def saved_in_all_formats(model: Any, folder: Path) -> list[Checkpoint]:
    model.save_weights(folder / "model.weights.h5")
    for file in ("model.keras", "model.h5"):
        model.save(folder / file)
    return [open_checkpoint(folder / file) for file in ("model.keras", "model.h5", "model.weights.h5")]


def saved_weights(layers: list[Any], folder: Path, library: str = "tf_keras", file: str = "weights.h5") -> Path:
    keras: Any = import_module(library)
    randomised(keras.Sequential([keras.Input((9, 4)), *layers])).save_weights(folder / file)
    return folder / file


def scale(keras: Any) -> Any:
    """Return a class with the arrays of a LayerNormalization that normalises nothing."""

    class Scale(keras.layers.Layer):  # type: ignore[misc]
        def build(self, shape: Any) -> None:
            self.gamma = self.add_weight(name="gamma", shape=(shape[-1],))
            self.beta = self.add_weight(name="beta", shape=(shape[-1],))

        def call(self, x: Any) -> Any:
            return x * self.gamma + self.beta

    return Scale


@pytest.mark.parametrize(("library", "file"), [("tf_keras", "alone.h5"), ("keras", "model.weights.h5")])
def test_a_kind_is_claimed_in_a_file_of_weights_only_if_it_states_it(library: str, file: str, tmp_path: Path) -> None:
    keras: Any = import_module(library)
    kinds = keras.layers
    own = [scale(keras)(name="mine"), kinds.Conv1D(6, 3, strides=2, activation="relu", name="narrow")]
    plain = [kinds.LayerNormalization(), kinds.Conv1D(6, 3), kinds.BatchNormalization(name="named"), kinds.LSTM(5)]
    path = saved_weights([*own, *plain, kinds.Dense(1, activation="sigmoid", name="out")], tmp_path, library, file)
    others = open_checkpoint(path).others
    assert others["mine"].kind == ""
    assert "kind=" in " ".join(others["mine"].warnings)
    assert others["narrow"].kind == ("Conv1D" if library == "keras" else "")  # Keras 3 names groups after classes
    kinds_found = [other.kind for other in others.values()]
    assert kinds_found.count("LayerNormalization") == 1
    assert {"BatchNormalization", "Dense", "Conv1D"} <= set(kinds_found)
    unstated = " ".join(others["named"].warnings)
    assert "axis, momentum, epsilon of BatchNormalization are not stated" in unstated
    assert "activation of Dense is not stated" in " ".join(others["out"].warnings)
    told = open_checkpoint(path, options={"mine": {"kind": "LayerNormalization"}}).others["mine"]
    assert (told.kind, list(told.stored)) == ("LayerNormalization", ["gamma", "beta"])


def test_a_kind_that_does_not_fit_the_arrays_is_refused(tmp_path: Path, refused: Any) -> None:
    import tf_keras

    path = saved_weights([scale(tf_keras)(name="mine"), tf_keras.layers.LSTM(5)], tmp_path)
    for kind in ("Dense", "Nonsense"):
        with refused("the kind of mine", kind, "LayerNormalization"):
            open_checkpoint(path, options={"mine": {"kind": kind}})


def test_unlike_layers_with_the_same_doubts_share_a_caveat(tmp_path: Path) -> None:
    import tf_keras

    kinds = tf_keras.layers
    path = saved_weights([kinds.LSTM(5), kinds.Dense(3), kinds.Dense(2)], tmp_path)
    first, second = (other.warnings for other in open_checkpoint(path).others.values())
    assert first == second != ()


@pytest.mark.parametrize("library", ["tf_keras", "keras"])
def test_a_layer_that_feeds_a_recurrent_one_is_not_assumed_to_return_its_last_step(library: str, tmp_path: Path) -> None:
    keras: Any = import_module(library)
    kinds = keras.layers
    layers = [
        kinds.LSTM(5, return_sequences=True, name="first"),
        kinds.Bidirectional(kinds.LSTM(6, return_sequences=True), name="both"),
        kinds.LSTM(7, name="last"),
        kinds.Dense(3),
    ]
    path = saved_weights(layers, tmp_path, library, "model.weights.h5" if library == "keras" else "alone.h5")
    assert returns_sequences(path) == {"first": True, "both": True, "last": False}


def returns_sequences(path: Path) -> dict[str, bool]:
    checkpoint = open_checkpoint(path)
    for layer in checkpoint.values():
        assert layer.options is not None
        assert f"return_sequences={layer.options.return_sequences}" in layer.warnings[0]
    return {name: layer.options.return_sequences for name, layer in checkpoint.items() if layer.options}


def test_layers_between_two_recurrent_ones_are_followed_by_size(tmp_path: Path) -> None:
    import tf_keras

    kinds = tf_keras.layers
    between = [kinds.BatchNormalization(), kinds.Dropout(0.1), kinds.Dense(6)]
    layers = [kinds.GRU(5, return_sequences=True, name="first"), *between, kinds.GRU(3, name="coder")]
    layers += [kinds.RepeatVector(4), kinds.GRU(3, return_sequences=True, name="decoder"), kinds.Dense(2)]
    assert returns_sequences(saved_weights(layers, tmp_path)) == {"first": True, "coder": False, "decoder": False}


@LIBRARIES
def test_no_message_names_an_architecture_that_there_is_not(library: str, tmp_path: Path) -> None:
    keras: Any = import_module(library)

    class Model(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.rnn = keras.layers.GRU(4)
            self.head = keras.layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.head(self.rnn(x))

    model = Model()
    model(np.zeros((2, 6, 5), "float32"))
    model.save(tmp_path / "model.keras")
    checkpoint = open_checkpoint(tmp_path / "model.keras")
    said = " ".join(warning for _, layer in checkpoint.in_order for warning in layer.warnings)
    assert "assumed" in said
    assert "architecture" not in said


@pytest.mark.parametrize("described", [True, False])
def test_weights_of_cudnn_contradict_an_architecture_only_if_there_is_one_of_another_kind(
    described: bool,  # noqa: FBT001  a case
    tmp_path: Path,
) -> None:
    import h5py

    shapes = {"kernel:0": (3, 16), "recurrent_kernel:0": (4, 16), "bias:0": (32,)}
    names = [f"both/{way}_lstm/{name}" for way in ("forward", "backward") for name in shapes]
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.attrs["layer_names"], file.attrs["keras_version"] = [b"both"], b"2.1.5"
        file.create_group("both").attrs["weight_names"] = [name.encode() for name in names]
        for name in names:
            file[f"both/{name}"] = np.ones(shapes[name.rpartition("/")[2]], "float32")
    for kind, said in (("CuDNNLSTM", False), ("LSTM", True)):
        inner = {"class_name": kind, "config": {"units": 4}}
        both = {"class_name": "Bidirectional", "config": {"name": "both", "layer": inner}}
        model: Any = {"class_name": "Sequential", "config": [both]} if described else None
        found = open_checkpoint(tmp_path / "w.h5", architecture=model)["both"].warnings
        assert any("CuDNN's layout, though" in warning for warning in found) == (said and described)


@pytest.mark.parametrize("offset", [512, 1024])
def test_an_archive_whose_weights_begin_at_a_user_block_is_read_as_an_archive(offset: int, tmp_path: Path) -> None:
    import keras

    keras.Sequential([keras.Input((6, 5)), keras.layers.LSTM(4, activation="relu", name="a")]).save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        members = {name: archive.read(name) for name in ("config.json", "metadata.json", "model.weights.h5")}
    config = json.loads(members["config.json"])
    layers = [
        {"class_name": each["class_name"], "config": {"name": "a", "units": 4, "activation": "relu"}}
        for each in config["config"]["layers"][1:]
    ]
    members["config.json"] = json.dumps({"class_name": "Sequential", "config": {"layers": layers}}).encode()
    headers = 3 * 30 + sum(map(len, members))
    members["metadata.json"] += b" " * (offset - headers - len(members["metadata.json"]) - len(members["config.json"]))
    with zipfile.ZipFile(tmp_path / "padded.keras", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert (tmp_path / "padded.keras").read_bytes()[offset:].startswith(members["model.weights.h5"][:8])
    checkpoint = open_checkpoint(tmp_path / "padded.keras")
    assert (checkpoint.format, checkpoint["a"].spec.activation) == ("Keras zip", "relu")


def test_a_time_major_layer_gets_the_same_advice_live_and_in_a_file_and_the_advice_leads_on(
    tmp_path: Path, refused: Any
) -> None:
    import tf_keras
    import torch

    from frameworks import convert
    from frameworks.options import TIME_MAJOR

    layer = tf_keras.layers.LSTM(4, return_sequences=True, time_major=True, name="a")
    path = tmp_path / "model.h5"
    randomised(tf_keras.Sequential([tf_keras.layers.InputLayer((6, 5), batch_size=3), layer])).save(path)
    x = np.random.default_rng(1).normal(size=(3, 6, 5)).astype("float32")  # the axes are called what they are not
    expected = np.asarray(layer(x))
    for advised in (lambda: open_checkpoint(path), lambda: convert(layer)):
        with refused("time_major=True", "time_major=False", TIME_MAJOR):
            advised()
    stored = open_checkpoint(path, options={"a": {"time_major": False}})["a"]
    assert TIME_MAJOR in stored.warnings[0]
    again = tf_keras.layers.LSTM.from_config({**layer.get_config(), "time_major": False})
    again.build((None, None, 5))
    again.set_weights(layer.get_weights())
    for module in (stored.convert("pytorch"), convert(again)):
        own: Any = module
        with torch.no_grad():
            transposed = own(torch.from_numpy(x).transpose(0, 1))[0].transpose(0, 1)
            own.batch_first = False
            as_it_is = own(torch.from_numpy(x))[0]
        np.testing.assert_allclose(transposed.numpy(), expected, atol=1e-6)
        np.testing.assert_allclose(as_it_is.numpy(), expected, atol=1e-6)


@LIBRARIES
def test_a_convolutional_recurrent_layer_carries_its_reason_among_weights_alone(library: str, tmp_path: Path) -> None:
    kinds = import_module(library).layers
    between = [kinds.Flatten(), kinds.RepeatVector(3)]
    model = import_module(library).Sequential([kinds.ConvLSTM2D(3, 3, name="own"), *between, kinds.LSTM(2, name="lstm")])
    model.build((2, 5, 8, 8, 1))
    model.save_weights(tmp_path / "model.weights.h5")
    checkpoint = open_checkpoint(tmp_path / "model.weights.h5")
    assert list(checkpoint) == ["lstm"]
    if library == "keras":  # Keras 2 writes no class
        assert any("its kernels are convolutions" in warning for warning in checkpoint.others["own"].warnings)


def test_an_optimizer_alone_is_called_one(tmp_path: Path, refused: Any) -> None:
    keras: Any = import_module("keras")
    model = keras.Sequential([keras.Input((6, 5)), keras.layers.LSTM(4)])
    for optimizer in (keras.optimizers.Adam(), keras.optimizers.SGD(momentum=0.9)):
        optimizer.build(model.trainable_variables)
        variables: dict[str, Any] = {}
        optimizer.save_own_variables(variables)
        with h5py.File(tmp_path / "optimizer.h5", "w") as file:
            for name, value in variables.items():
                file[f"vars/{name}"] = value
        with refused("the state of the optimizer", "Open the model's own file."):
            open_checkpoint(tmp_path / "optimizer.h5")
    cell: dict[str, Any] = {}
    model.layers[0].cell.save_own_variables(cell)
    with h5py.File(tmp_path / "cell.h5", "w") as file:
        for name, value in cell.items():
            file[f"vars/{name}"] = value
    with refused("a Keras h5 file of layers of unknown kind, with the arrays vars/0 (5, 16)"):
        open_checkpoint(tmp_path / "cell.h5")


def test_a_model_without_a_recurrent_layer_is_told_so(tmp_path: Path, refused: Any) -> None:
    keras: Any = import_module("keras")
    keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)]).save(tmp_path / "dense.keras")
    with refused("file of Dense. There is nothing to port in it"):
        open_checkpoint(tmp_path / "dense.keras")
