"""What files of torch, NumPy and other programs leave open, and how the user states it or saves another file."""

from __future__ import annotations

import gzip
import io
import json
import pickle
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch
from torch import nn

from frameworks.files import open_checkpoint, save_checkpoint
from gatewise import assert_parity, copy_weights
from tests.remedies.arrays import LAYERS, X, array, close, deprecated, drawn, filled, lstm, tensor
from tests.remedies.cases_keras import message_of
from tests.remedies.following import advises, case, refuses

KIND = "the file does not state its kind: by its arrays it may be *. State it with --option NAME.kind=CLASS."


def rnn(**options: Any) -> nn.LSTM:
    """Return an nn.LSTM."""
    return nn.LSTM(3, 4, batch_first=True, **options)


def saved(path: Path, state: Any) -> Any:
    """Save a state dict, and return the checkpoint."""
    torch.save(state, path)
    return open_checkpoint(path)


@case
def kinds_and_arguments(folder: Path) -> None:
    net = nn.ModuleDict(
        {"rnn": nn.RNN(3, 4), "words": nn.Embedding(7, 3), "conv": nn.Conv1d(4, 6, 3, stride=2), "norm": nn.GroupNorm(5, 5)}
    )
    path = folder / "m.pt"
    bare = saved(path, net.state_dict())
    told = bare["rnn"].warnings
    advises("nonlinearity='tanh' assumed: the file does not state it. Override it with --option NAME.OPTION=VALUE.", told)
    advises("the file does not state batch_first. *State it with --option NAME.batch_first=True or False.", told)
    stated = open_checkpoint(path, options={"rnn": {"batch_first": False, "nonlinearity": "relu"}})["rnn"]
    assert not stated.warnings
    assert stated.convert("pytorch").nonlinearity == "relu"
    assert not stated.emulate("pytorch").batch_first
    advises(KIND, bare.others["words"].warnings)
    words = open_checkpoint(path, options={"words": {"kind": "Embedding"}}).others["words"]
    assert words.kind == "Embedding"
    assert np.array_equal(words.arrays["weight"], array(net["words"].weight))
    conv = open_checkpoint(path, options={"conv": {"kind": "Conv1d"}}).others["conv"]
    advises("*stride=*assumed, torch's default. State it with --option NAME.OPTION=VALUE.", conv.warnings)
    options: dict[str, Any] = {"stride": 2, "padding": 0, "dilation": 1, "groups": 1, "padding_mode": "zeros"}
    known = open_checkpoint(path, options={"conv": {"kind": "Conv1d", **options}}).others["conv"]
    assert known.config["strides"] == 2
    assert not known.assumed
    norm = open_checkpoint(path, options={"norm": {"kind": "GroupNorm"}}).others["norm"]
    advises("the file does not state num_groups. State it with --option NAME.num_groups=VALUE.", norm.warnings)
    grouped = open_checkpoint(path, options={"norm": {"kind": "GroupNorm", "num_groups": 5}}).others["norm"]
    assert not any("num_groups" in each for each in grouped.warnings)
    with refuses("Leave it out if it is a class of your own."):
        open_checkpoint(path, options={"words": {"kind": "Conv2d"}})
    with refuses("Leave it out."):
        open_checkpoint(path, options={"conv": {"kind": "Conv1d", "groups": 5}})
    with refuses("Write NAME.OPTION=VALUE."):
        open_checkpoint(path, options={None: {"kind": "Embedding"}})
    with refuses("Leave it out if the cell is none of these."):
        open_checkpoint(path, options={"rnn": {"cell": "lstm"}})
    assert open_checkpoint(path).others["words"].kind == ""


@case
def a_cell_of_ones_own(folder: Path) -> None:
    own: Any = nn.LSTMCell(3, 4)
    own.register_parameter("scale", nn.Parameter(torch.ones(1)))
    net, path = nn.ModuleDict({"own": own, "rnn": rnn()}), folder / "m.pt"
    text = "*If it computes the same, the option cell=lstm states it (--option own.cell=lstm)."
    advises(text, saved(path, net.state_dict()).others["own"].warnings)
    plain = nn.LSTMCell(3, 4)
    plain.load_state_dict({name: value for name, value in own.state_dict().items() if name != "scale"})
    assert_parity(plain, open_checkpoint(path, options={"own": {"cell": "lstm"}})["own"])
    with refuses(f"The layer {text.removeprefix('*').replace('If', 'own is not read as a recurrent layer: *If', 1)}"):
        saved(folder / "alone.pt", {f"own.{name}": value for name, value in own.state_dict().items()})
    one = {name: value for name, value in rnn().state_dict().items() if name != "bias_hh_l0"}
    one = {f"rnn.{name.replace('bias_ih_l0', 'bias')}": value for name, value in one.items()}
    with refuses("The layer rnn *it has one bias, where torch has two: save it as bias_ih, and zeros as bias_hh."):
        saved(folder / "one.pt", one)
    both = {**one, "rnn.bias_ih_l0": one["rnn.bias"], "rnn.bias_hh_l0": torch.zeros(16)}
    del both["rnn.bias"]
    module = rnn()
    module.load_state_dict({name.removeprefix("rnn."): value for name, value in both.items()})
    assert_parity(module, saved(folder / "both.pt", both)["rnn"])


@case
def weights_that_are_not_plain(folder: Path) -> None:
    normed: Any = nn.utils.parametrizations.weight_norm(rnn(), "weight_hh_l0")
    with refuses(
        "It is not read as a recurrent layer: its weights are parametrised (*), as by weight_norm: make them plain in the "
        "model, with torch.nn.utils.parametrize.remove_parametrizations or remove_weight_norm, and save it again."
    ):
        saved(folder / "normed.pt", normed.state_dict())
    nn.utils.parametrize.remove_parametrizations(normed, "weight_hh_l0")
    assert_parity(normed, saved(folder / "plain.pt", normed.state_dict())[""])
    state = {f"rnn.{name}": value for name, value in rnn().state_dict().items()}
    conjugated = torch.zeros(3, dtype=torch.complex64).conj()
    odd = saved(folder / "conj.pt", {**state, "beside.table": conjugated})
    advises("*a conjugated or negated view: call .resolve_conj() and .resolve_neg() before saving.", told_in(odd))
    plain = conjugated.resolve_conj().resolve_neg()
    assert not told_in(saved(folder / "plain.pt", {**state, "beside.table": torch.view_as_real(plain)}), "conjugated")
    expanded = torch.ones(1).expand(3)
    advises(
        "*a tensor that repeats its elements, as .expand makes it: call .clone() before saving.",
        told_in(saved(folder / "expanded.pt", {**state, "beside.table": expanded})),
    )
    cloned = saved(folder / "cloned.pt", {**state, "beside.table": expanded.clone()})
    assert np.array_equal(cloned.others["beside"].arrays["table"], np.ones(3))
    table = drawn(4, 3)
    for how, turned in {
        "a quantised tensor: save it before it is quantised.": torch.quantize_per_tensor(tensor(table), 0.1, 0, torch.qint8),
        "a sparse tensor: call .to_dense() before saving.": tensor(table).to_sparse(),
    }.items():
        advises(f"*{how}", told_in(saved(folder / "odd.pt", {**state, "beside.table": turned})))
    dense = saved(folder / "dense.pt", {**state, "beside.table": tensor(table).to_sparse().to_dense()})
    assert np.array_equal(dense.others["beside"].arrays["table"], table)


@case
def quantised_modules(folder: Path) -> None:
    net = nn.Sequential(nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 2))
    with deprecated():
        quantise: Any = torch.ao.quantization.quantize_dynamic
        whole, small = quantise(net, {nn.Linear}), quantise(net, {nn.LSTM})
        torch.save(whole, folder / "whole.pt")
        advises("*a quantised Linear: save it before it is quantised.", told_in(open_checkpoint(folder / "whole.pt")))
        torch.save(small.state_dict(), folder / "small.pt")
    text = "*packed weights, as of a quantised module: save it before it is quantised.*"
    advises(text, [message_of(lambda: open_checkpoint(folder / "small.pt"))])
    before = saved(folder / "before.pt", net.state_dict())
    assert_parity(net[0], before["0"])
    assert before.others["1"].kind == "Linear"


@case
def a_keras_model_in_a_file_of_torch(folder: Path) -> None:
    model = filled(keras.Sequential([keras.Input(X.shape[1:]), LAYERS.LSTM(4, name="rnn")]))
    torch.save({"net": model, **{f"rnn.{name}": value for name, value in rnn().state_dict().items()}}, folder / "m.pt")
    text = "*a whole Keras model: load it where it was made, and call model.save('model.keras')."
    advises(text, told_in(open_checkpoint(folder / "m.pt")))
    loaded = torch.load(folder / "m.pt", weights_only=False)["net"]
    loaded.save(folder / "model.keras")
    assert_parity(model.layers[0], open_checkpoint(folder / "model.keras")["rnn"])


def told_in(checkpoint: Any, word: str = "") -> list[str]:
    """Return the caveats of all layers that contain a word."""
    layers = [*checkpoint.values(), *checkpoint.others.values()]
    return [warning for layer in layers for warning in layer.warnings if word in warning]


@case
def modules_of_a_program(folder: Path) -> None:
    with deprecated():
        scripted: Any = torch.jit.script(nn.Sequential(nn.Linear(3, 3), rnn()).eval())
        scripted.save(folder / "scripted.pt")
        torch.jit.freeze(scripted).save(folder / "frozen.pt")
    text = "constants of its code have no names; if torch.jit.freeze made weights into constants, save the model before that."
    advises(f"*{text}*", [message_of(lambda: open_checkpoint(folder / "frozen.pt"))])
    copied = rnn()
    copied.load_state_dict({name[2:]: value for name, value in scripted.state_dict().items() if name.startswith("1.")})
    assert_parity(copied, open_checkpoint(folder / "scripted.pt")["1"])
    module = rnn()
    package: Any = import_module("torch.package")
    with deprecated(), package.PackageExporter(folder / "packed.pt") as exporter:
        exporter.extern("torch.**")
        exporter.save_pickle("model", "model.pkl", module)
    with refuses("Load it with torch.package, and save the state_dict."):
        open_checkpoint(folder / "packed.pt")
    loaded = package.PackageImporter(folder / "packed.pt").load_pickle("model", "model.pkl")
    assert_parity(module, saved(folder / "state.pt", loaded.state_dict())[""])


@case
def one_of_several_files(folder: Path) -> None:
    module = rnn(num_layers=2)
    parts: dict[str, dict[str, Any]] = {f"m-0000{part}-of-00002.bin": {} for part in (1, 2)}
    for name, value in module.state_dict().items():
        parts[f"m-0000{2 if '_l1' in name else 1}-of-00002.bin"][f"rnn.{name}"] = value
    for file, state in parts.items():
        torch.save(state, folder / file)
    index = folder / "m.bin.index.json"
    index.write_text(json.dumps({"weight_map": {name: file for file, state in parts.items() for name in state}}))
    alone = open_checkpoint(folder / "m-00001-of-00002.bin")["rnn"]
    advises("by its name the file is one of 2 parts, *: open their .index.json.", alone.warnings)
    assert_parity(module, open_checkpoint(index)["rnn"])


@case
def files_of_other_programs(folder: Path) -> None:
    module = rnn()
    arrays = {name: array(value) for name, value in module.state_dict().items()}

    def written(name: str, content: bytes) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    def right(path: Path) -> None:
        assert_parity(module, open_checkpoint(path)[""])

    buffer = io.BytesIO()
    torch.save(module.state_dict(), buffer)
    with refuses("Unpack it first."):
        open_checkpoint(written("m.pt.gz", gzip.compress(buffer.getvalue())))
    right(written("m.pt", gzip.decompress((folder / "m.pt.gz").read_bytes())))
    np.save(folder / "kernel.npy", arrays["weight_ih_l0"])
    with refuses("Save all arrays of a layer in one file with np.savez, under torch's names."):
        open_checkpoint(folder / "kernel.npy")
    np.savez(folder / "m.npz", **arrays)
    right(folder / "m.npz")
    with refuses("If you trust it, load it where it was made, and save its weights with torch.save, np.savez or model.save."):
        open_checkpoint(written("m.pkl", pickle.dumps({name: value.tolist() for name, value in arrays.items()})))
    loaded = pickle.loads((folder / "m.pkl").read_bytes())  # noqa: S301  our own
    again: dict[str, Any] = {name: np.array(value, "float32") for name, value in loaded.items()}
    np.savez(folder / "pickled.npz", **again)
    right(folder / "pickled.npz")
    with refuses("If you trust it, load it with pickle, and write its state_dict() with torch.save."):
        open_checkpoint(written("torch.pkl", pickle.dumps(module)))
    torch.save(pickle.loads((folder / "torch.pkl").read_bytes()).state_dict(), folder / "again.pt")  # noqa: S301  our own
    right(folder / "again.pt")


@case
def an_architecture_by_itself(folder: Path) -> None:
    layer = filled(LAYERS.LSTM(4, activation="relu", name="rnn"))
    model = keras.Sequential([keras.Input(X.shape[1:]), layer])
    (folder / "m.json").write_text(model.to_json())
    model.save_weights(folder / "m.weights.h5")
    with refuses("Open the weights, and pass this file as `architecture`."):
        open_checkpoint(folder / "m.json")
    (folder / "inner").mkdir()
    (folder / "inner" / "m.json").write_text(model.to_json())
    with refuses("Open the checkpoint in it."):
        open_checkpoint(folder / "m.weights.h5", architecture=folder / "inner")
    open_checkpoint(folder / "m.weights.h5", architecture=folder / "inner" / "m.json")
    assert_parity(layer, open_checkpoint(folder / "m.weights.h5", architecture=folder / "m.json")["rnn"])


@case
def layers_of_files_and_live_ones(folder: Path) -> None:
    from gatewise import adapt

    first, second = rnn(), nn.LSTM(4, 4, batch_first=True)
    path = folder / "m.pt"
    stored = saved(path, nn.ModuleList([first, second, nn.GRU(4, 4)]).state_dict())
    with refuses("Stack layers of files, or live layers."):
        adapt([stored["0"], second])
    both = nn.LSTM(3, 4, 2, batch_first=True)
    copy_weights([stored["0"], stored["1"]], both)
    close(both(tensor())[0], second(first(tensor())[0])[0])
    with refuses("No one torch module runs such a stack: adapt and convert its layers one at a time."):
        adapt([stored["0"], stored["2"]])
    assert [adapt(stored[name]).spec.cell for name in "02"] == ["lstm", "gru"]
    assert_parity(stored["2"], stored["2"].convert("keras"))
    assert lstm()


@case
def what_a_file_cannot_hold(folder: Path) -> None:
    module = rnn()
    arrays: dict[str, Any] = {f"rnn.{name}": array(value) for name, value in module.state_dict().items()}
    arrays["table.values"] = np.ones(3, "complex64")
    np.savez(folder / "odd.npz", **arrays)
    odd = open_checkpoint(folder / "odd.npz")
    for ending in (".safetensors", ".pt"):
        target = folder / f"m{ending}"
        with refuses("Leave the layer out."):
            save_checkpoint(target, odd)
        save_checkpoint(target, {"rnn": odd["rnn"]})
        assert_parity(module, open_checkpoint(target)["rnn"])
    with refuses("Give another path."):
        save_checkpoint(folder / "missing" / "m.pt", {"rnn": module})
    save_checkpoint(folder / "there.pt", {"rnn": module})
    assert_parity(module, open_checkpoint(folder / "there.pt")["rnn"])
