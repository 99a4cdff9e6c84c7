"""Remedies for checkpoint files, and for the layers read from them and written to them."""

from __future__ import annotations

import json
import warnings
from argparse import Namespace
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch
from torch import nn

from compare.commands.checkpoint_file import open_given
from frameworks.files import open_checkpoint, save_checkpoint
from gatewise import GatewiseError, assert_parity, copy_weights, initialise_like_keras, initialise_like_pytorch
from tests.remedies.arrays import LAYERS, X, close, filled, lstm, tensor
from tests.remedies.following import case, refuses


def saved(folder: Path, *layers: Any, name: str = "m.keras") -> Any:
    """Save a Sequential of these layers, and return the checkpoint."""
    model = filled(keras.Sequential([keras.Input(X.shape[1:]), *layers]))
    model.save(folder / name)
    return open_checkpoint(folder / name)


@case
def what_is_no_checkpoint(folder: Path) -> None:
    with refuses("Check the path."):
        open_checkpoint(folder / "missing.pt")
    with refuses("Open the checkpoint in it."):
        open_checkpoint(folder)
    (folder / "notes.txt").write_text("no checkpoint")
    with refuses("Open the checkpoint itself."):
        open_checkpoint(folder / "notes.txt")
    rnn = nn.LSTM(3, 4, batch_first=True)
    torch.save(rnn.state_dict(), folder / "m.pt")
    content = (folder / "m.pt").read_bytes()
    (folder / "cut.pt").write_bytes(content[: len(content) // 2])
    with refuses("Fetch or copy the file again."):
        open_checkpoint(folder / "cut.pt")
    assert_parity(rnn, open_checkpoint(folder / "m.pt")[""])


@case
def a_file_without_a_recurrent_layer(folder: Path) -> None:
    torch.save({"a": torch.zeros(16, 3), "b": torch.zeros(16, 4)}, folder / "odd.pt")
    with refuses("Open the model's own file, or save its arrays under torch's names, as in NAME.weight_ih_l0."):
        open_checkpoint(folder / "odd.pt")
    rnn = nn.LSTM(3, 4)
    renamed = {f"encoder.{name}": value for name, value in rnn.state_dict().items()}
    torch.save(renamed, folder / "named.pt")
    assert_parity(rnn, open_checkpoint(folder / "named.pt")["encoder"])


@case
def an_architecture(folder: Path) -> None:
    model = filled(keras.Sequential([keras.Input(X.shape[1:]), LAYERS.LSTM(4, activation="relu", name="lstm")]))
    model.save_weights(folder / "m.weights.h5")
    (folder / "wrong.json").write_text("model.summary()")
    with refuses("Pass the text that Keras's model.to_json() returns."):
        open_checkpoint(folder / "m.weights.h5", architecture=folder / "wrong.json")
    (folder / "m.json").write_text(model.to_json())
    assert_parity(model.layers[0], open_checkpoint(folder / "m.weights.h5", architecture=folder / "m.json")["lstm"])
    torch.save(nn.LSTM(3, 4).state_dict(), folder / "m.pt")
    with refuses("Open the file without it, and pass what the file does not state as options."):
        open_checkpoint(folder / "m.pt", architecture=folder / "m.json")
    with refuses("Pass a valid value as an option."):
        open_checkpoint(folder / "m.pt", options={"": {"batch_first": "yes"}})
    assert open_checkpoint(folder / "m.pt", options={"": {"batch_first": True}})[""].arguments["batch_first"] is True


@case
def given_options(folder: Path) -> None:
    rnn = filled(LAYERS.LSTM(4, recurrent_activation="hard_sigmoid", name="lstm"))
    model = keras.Sequential([keras.Input(X.shape[1:]), rnn])
    model.save_weights(folder / "m.weights.h5")
    path = folder / "m.weights.h5"
    checkpoint = open_checkpoint(path)
    (name,) = checkpoint
    with refuses("Write {'lstm': {'recurrent_activation': 'keras2_hard_sigmoid'}}."):
        open_checkpoint(path, options={"lstm": "hard_sigmoid"})  # type: ignore[dict-item]
    with refuses("Use the names that the checkpoint lists."):
        open_checkpoint(path, options={"gru": {"activation": "relu"}})
    with refuses("Is it 'activation'? Sizes are read from the weights."):
        open_checkpoint(path, options={name: {"activatoin": "relu"}})
    with refuses("Leave it out; sizes are read from the weights."):
        open_checkpoint(path, options={name: {"reset_after": True}})
    with refuses("Choose one of them, or a family with its numbers, as in leaky_relu(0.01)."):
        open_checkpoint(path, options={name: {"activation": "unknown"}})
    with refuses("Pass a bool."):
        open_checkpoint(path, options={name: {"return_sequences": "yes"}})
    with refuses("Is it *? The other layers are in `checkpoint.others`."):
        checkpoint[f"{name}_"]
    assert_parity(rnn, open_checkpoint(path, options={name: {"recurrent_activation": "hard_sigmoid"}})[name])


@case
def layers_in_a_file(folder: Path) -> None:
    unlike = filled(LAYERS.RNN([LAYERS.LSTMCell(4), LAYERS.GRUCell(5)], name="unlike"))
    model = keras.Sequential([keras.Input(X.shape[1:]), unlike])
    model.save(folder / "m.keras")
    stored = open_checkpoint(folder / "m.keras")["unlike"]
    with refuses("No single spec describes unlike cells: use .emulate, or .parts one at a time."):
        stored.convert("pytorch")
    close(stored.emulate("pytorch")(tensor()), unlike(X))
    for part, cell in zip(stored.parts, unlike.cell.cells, strict=True):
        assert_parity(cell, part.convert("pytorch"))
    alike = saved(folder, LAYERS.LSTM(4, name="lstm"), name="alike.keras")["lstm"]
    with refuses("Build a layer with .convert or .emulate."):
        copy_weights(lstm(), alike)
    copy_weights(lstm(), alike.convert("pytorch"))
    rnn = nn.LSTM(3, 4, proj_size=2)
    torch.save(rnn.state_dict(), folder / "p.pt")
    projecting = open_checkpoint(folder / "p.pt")[""]
    with refuses("No Keras layer projects its hidden state: use .emulate."):
        projecting.spec  # noqa: B018
    with refuses("Use .emulate, or the arrays of .cells."):
        projecting.get_weights()
    assert projecting.emulate("pytorch").proj_size == 2
    with refuses("Write it in torch's layout."):
        save_checkpoint(folder / "p.keras", {"p": projecting})
    save_checkpoint(folder / "again.pt", {"p": projecting})
    assert open_checkpoint(folder / "again.pt")["p"].arguments["proj_size"] == 2
    with refuses("Use .convert, which builds the framework's own layer if that can represent this one."):
        raise _no_builder()


def _no_builder() -> Exception:
    from dataclasses import replace

    import pytest

    from frameworks import registry, rows

    bare = replace(rows.FRAMEWORKS[1], name="bare", builder="", aliases=())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "FRAMEWORKS", (*rows.FRAMEWORKS, bare))
        try:
            registry.load_builder("bare")
        except GatewiseError as error:
            return error
    raise AssertionError


@case
def where_a_file_is_written(folder: Path) -> None:
    layer = lstm()
    with refuses("Write {'lstm': layer}."):
        save_checkpoint(folder / "m.pt", 3)  # type: ignore[arg-type]
    with refuses("The ending chooses the format. gatewise port MODEL OUT.py writes a whole model as source."):
        save_checkpoint(folder / "m.xyz", {"lstm": layer})
    with refuses("Name a file in it."):
        (folder / "dir.pt").mkdir()
        save_checkpoint(folder / "dir.pt", {"lstm": layer})
    save_checkpoint(folder / "m.pt", {"lstm": layer})
    with refuses("Give another path, or force=True (--force) to replace it."):
        save_checkpoint(folder / "m.pt", {"lstm": layer})
    save_checkpoint(folder / "m.pt", {"lstm": layer}, force=True)
    save_checkpoint(folder / "other.pt", {"lstm": layer})
    with refuses("Give the layer another name, in a mapping from name to layer."):
        save_checkpoint(folder / "nul.pt", {"a\x00": layer})
    for path in ("m.pt", "other.pt"):
        assert_parity(layer, open_checkpoint(folder / path)["lstm"])


@case
def an_h5_file_of_another_kind(folder: Path) -> None:
    h5py = import_module("h5py")
    with h5py.File(folder / "m.h5", "w") as file:
        file["data"] = np.zeros(3)
    with refuses("Open a file that Keras saved: it has layer_names, or arrays in groups named vars."):
        open_checkpoint(folder / "m.h5")


@case
def stored_layers_in_keras(folder: Path) -> None:
    layer = LAYERS.LSTM(4, stateful=True, name="lstm")
    model = keras.Sequential([keras.Input(batch_shape=X.shape), layer])
    filled(model)
    model.save(folder / "m.keras")
    stored = open_checkpoint(folder / "m.keras")["lstm"]
    with refuses("Pass the option stateful=False, and pass the states from call to call."):
        stored.emulate("keras")
    plain = open_checkpoint(folder / "m.keras", options={"lstm": {"stateful": False, "return_state": True}})["lstm"].emulate(
        "keras"
    )
    layer.reset_state()
    _, *states = plain(X)
    layer(X)
    close(plain(X, initial_state=states)[0], layer(X))


@case
def a_quantised_module() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.LSTM(3, 4))
    initialise_like_keras(net, seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantised = torch.ao.quantization.quantize_dynamic(  # type: ignore[no-untyped-call]
            net, {nn.Linear}
        )
        with refuses("Initialise it before it is quantised."):
            initialise_like_keras(quantised)


@case
def names_in_a_file(folder: Path) -> None:
    layer = nn.LSTM(3, 4)
    with refuses("Give the layers other names."):
        save_checkpoint(folder / "m.keras", {"a/b": layer, "a.b": layer})
    save_checkpoint(folder / "m.keras", {"first": layer, "second": layer})
    assert set(open_checkpoint(folder / "m.keras")) == {"first", "second"}


@case
def parts_of_a_model(folder: Path) -> None:
    rnn = nn.LSTM(3, 4)
    state = [f"rnn.{name}" for name in rnn.state_dict()]
    inside, beside = (folder / "model" / "m.safetensors.index.json", folder / "m.safetensors")
    inside.parent.mkdir()
    save_checkpoint(beside, {"rnn": rnn})
    inside.write_text(json.dumps({"weight_map": dict.fromkeys(state, "../m.safetensors")}))
    with refuses("Put the files beside it, and list them without a folder."):
        open_checkpoint(inside)
    beside.rename(inside.parent / "m.safetensors")
    inside.write_text(json.dumps({"weight_map": dict.fromkeys(state, "m.safetensors")}))
    assert_parity(rnn, open_checkpoint(inside)["rnn"])


@case
def a_quantised_layer() -> None:
    layer = filled(LAYERS.Dense(4), X)
    initialise_like_pytorch(layer, seed=0)
    layer.quantize("int8")
    with refuses("Initialise the layer before it is quantised."):
        initialise_like_pytorch(layer)


@case
def options_of_the_command_line(folder: Path) -> None:
    layer = filled(LAYERS.LSTM(4, activation="relu", name="lstm"))
    keras.Sequential([keras.Input(X.shape[1:]), layer]).save_weights(folder / "m.weights.h5")
    (name,) = open_checkpoint(folder / "m.weights.h5")

    def given(*options: str) -> Any:
        return open_given(Namespace(file=folder / "m.weights.h5", architecture=None, option=options))

    with refuses("An example is lstm.activation=relu."):
        given("activation")
    assert_parity(layer, given(f"{name}.activation=relu")[name])


@case
def a_file_whose_only_layer_is_custom(folder: Path) -> None:
    @keras.saving.register_keras_serializable("remedies")
    class Own(LAYERS.LSTMCell):  # type: ignore[misc]
        pass

    layer = filled(LAYERS.RNN(Own(4), name="own"))
    keras.Sequential([keras.Input(X.shape[1:]), layer]).save(folder / "own.keras")
    with refuses("The layer own is not read as a recurrent layer: *, or --option own.cell=lstm."):
        open_checkpoint(folder / "own.keras")
    vouched = open_checkpoint(folder / "own.keras", options={"own": {"cell": "lstm"}})["own"]
    close(vouched.emulate(to="pytorch")(tensor(X)), layer(X))
