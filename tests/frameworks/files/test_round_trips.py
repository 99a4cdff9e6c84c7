"""From a file of every format to every format that is written, and back: weights, options and outputs stay the same.

What the layers gave where they were made was computed by the framework that wrote the file, or recorded there.

Covers: `frameworks/files`.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from compare.checkpoints.verification import verify
from frameworks.files import Checkpoint, StoredLayer, open_checkpoint, save_checkpoint
from frameworks.files.building.hard_sigmoids import scaled_gates, with_todays
from frameworks.files.writing.saving import WRITERS
from frameworks.rows import FrameworkName
from tests.frameworks.files.torch.test_files import as_safetensors

pytestmark = pytest.mark.frameworks  # all but the test that counts the endings of the others

KERAS = [f"{library} {kind}" for library in ("keras", "tf_keras") for kind in ("model.keras", "model.h5", "model.weights.h5")]
TORCH = ["zip.pt", "old.pt", "script.pt", "state.npz", "state.safetensors"]
AGAIN = {".npz": ".pt", ".pt": ".safetensors", ".safetensors": ".npz"}
"""The formats that hold everything about a layer, and the format to which each file is ported next."""
BY_KERAS = ("keras model.keras", "tf_keras model.h5", "zip.pt", "script.pt")
"""The files that Keras writes again, at a second each: one of each family, because the others hold the same."""
X = np.random.default_rng(0).normal(size=(2, 6, 5)).astype("float32")


class File(NamedTuple):
    """An open file, and by layer the flat outputs for `X` in the framework that wrote it."""

    name: str
    checkpoint: Checkpoint
    expected: dict[str, list[Any]]


def keras_layers(keras: Any) -> list[Any]:
    kinds, both = keras.layers, keras.layers.Bidirectional
    every: dict[str, Any] = {"return_sequences": True}
    return [
        kinds.LSTM(4, **every, return_state=True, name="lstm"),
        kinds.LSTM(3, use_bias=False, go_backwards=True, **every, name="reads_back"),
        kinds.LSTM(3, activation="elu", recurrent_activation="hard_sigmoid", name="elu"),
        kinds.GRU(4, return_state=True, name="gru"),
        kinds.GRU(3, reset_after=False, recurrent_activation="hard_sigmoid", **every, name="before"),
        kinds.SimpleRNN(3, name="tanh"),
        kinds.SimpleRNN(3, activation="relu", use_bias=False, **every, name="relu"),
        *(both(kinds.GRU(3, **every), merge_mode=mode, name=f"merge_{mode}") for mode in ("concat", "sum", "mul", "ave", None)),
        both(kinds.LSTM(3, return_state=True), name="last"),
        both(kinds.SimpleRNN(3, activation="softsign"), name="softsign"),
        kinds.RNN([kinds.LSTMCell(4), kinds.GRUCell(3)], **every, name="unlike"),
        kinds.RNN([kinds.GRUCell(3), kinds.GRUCell(3)], return_state=True, **every, name="deep"),
    ]


def torch_model() -> Any:
    from torch import nn

    return nn.ModuleDict(
        {
            "lstm": nn.LSTM(5, 4, num_layers=2, bidirectional=True, batch_first=True),
            "gru": nn.GRU(5, 4, bias=False, batch_first=True),
            "both": nn.GRU(5, 3, bidirectional=True, batch_first=True),
            "tanh": nn.RNN(5, 3, num_layers=2, batch_first=True),
            "linear": nn.Linear(5, 2),
        }
    )


@cache
def keras_model(library: str) -> tuple[Any, dict[str, list[Any]]]:
    """Build the model of a library and compute the outputs of its layers, once."""
    keras: Any = import_module(library)
    layers, inputs = keras_layers(keras), keras.Input((6, 5))
    model = keras.Model(inputs, [each for layer in layers for each in flat(layer(inputs))])
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(-0.6, 0.6, weight.shape) for weight in model.get_weights()])
    return model, {layer.name: [as_array(each) for each in flat(layer(X))] for layer in layers}


def written_by_keras(name: str, folder: Path) -> File:
    library, kind = name.split()
    model, expected = keras_model(library)
    path = folder / kind
    if not kind.endswith(".weights.h5"):
        model.save(path)
        return File(name, open_checkpoint(path), expected)
    model.save_weights(path)
    (folder / "model.json").write_text(model.to_json())
    return File(name, open_checkpoint(path, folder / "model.json"), expected)


def written_by_torch(name: str, folder: Path) -> File:
    import torch

    torch.manual_seed(2)
    model, path = torch_model(), folder / name
    if name == "zip.pt":
        torch.save({"model": model.state_dict(), "epoch": 3}, path)
    elif name == "old.pt":
        torch.save(model.state_dict(), path, _use_new_zipfile_serialization=False)
    elif name == "script.pt":
        scripted: Any = torch.jit.script(model)
        scripted.save(str(path))
    elif name == "state.npz":
        np.savez(path, **{key: tensor.numpy() for key, tensor in model.state_dict().items()})
    else:
        as_safetensors(model, path)
    with torch.no_grad():
        outputs = {key: flat(module(torch.from_numpy(X))) for key, module in model.items() if key != "linear"}
    return File(name, open_checkpoint(path), {key: [as_array(each) for each in found] for key, found in outputs.items()})


def flat(returned: Any) -> list[Any]:
    return [each for one in returned for each in flat(one)] if isinstance(returned, (list, tuple)) else [returned]


def as_array(returned: Any) -> Any:
    from frameworks.keras.tensors import to_numpy

    return returned.numpy() if type(returned).__module__.startswith(("tensorflow", "torch")) else to_numpy(returned)


@pytest.fixture(scope="module", params=[*KERAS, *TORCH])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> File:
    write = written_by_keras if request.param in KERAS else written_by_torch
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # h5 is a legacy format
        return write(request.param, tmp_path_factory.mktemp("written"))


def close(actual: list[Any], expected: list[Any], name: str) -> None:
    assert len(actual) == len(expected), name
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-6, err_msg=name)


@pytest.mark.parametrize(
    ("file", "to"),
    [*((name, "pytorch") for name in (*KERAS, *TORCH)), *((name, "keras") for name in BY_KERAS)],
    indirect=["file"],
    scope="module",
)
def test_the_layers_of_a_file_return_in_either_framework_what_they_returned_in_their_own(file: File, to: FrameworkName) -> None:
    import torch

    assert set(file.checkpoint) == set(file.expected)  # .safetensors sorts them
    for name, layer in file.checkpoint.items():
        x = torch.from_numpy(X) if to == "pytorch" else X
        with torch.no_grad():
            close([as_array(each) for each in flat(layer.emulate(to)(x))], file.expected[name], name)


def test_every_ending_is_written_here() -> None:
    assert {*AGAIN, ".weights.h5", ".keras"} == {*WRITERS} - {".pth"}


@pytest.mark.parametrize("first", AGAIN)
def test_formats_that_hold_everything_return_the_same_layers_again_and_again(file: File, first: str, tmp_path: Path) -> None:
    path, again, back = tmp_path / f"first{first}", tmp_path / f"again{AGAIN[first]}", tmp_path / f"back{first}"
    save_checkpoint(path, file.checkpoint)
    save_checkpoint(again, open_checkpoint(path))
    save_checkpoint(back, open_checkpoint(again))
    for opened in map(open_checkpoint, (path, again, back)):
        for name, layer in file.checkpoint.items():
            same(opened[name], layer)
        assert {name for name, other in opened.others.items() if other.stored} == {
            name for name, other in file.checkpoint.others.items() if other.stored
        }


def test_a_file_of_weights_computes_the_same_and_its_caveats_name_the_missing_options(file: File, tmp_path: Path) -> None:
    path = tmp_path / "first.weights.h5"
    told = {each.name: each for each in save_checkpoint(path, file.checkpoint)}
    assert verify(file.checkpoint, path).status == 0
    assert all("activation='relu'" in told[name].caveats[0] for name in ("relu",) if name in told)


@pytest.mark.parametrize("file", BY_KERAS, indirect=True, scope="module")
def test_a_file_that_keras_writes_holds_the_same_layers_again_and_again(file: File, tmp_path: Path) -> None:
    """Two biases come back as their sum, because .keras holds one."""
    path, again = tmp_path / "first.keras", tmp_path / "again.pt"
    save_checkpoint(path, file.checkpoint)
    assert verify(file.checkpoint, path).status == 0
    there = open_checkpoint(path)
    save_checkpoint(again, there)
    for name, layer in there.items():
        same(open_checkpoint(again)[name], layer)
    for name, layer in file.checkpoint.items():
        if layer.options is not None:
            same(there[name], replace(_with_todays(layer), options=replace(layer.options, bare_states=False)))


def _with_todays(layer: StoredLayer) -> StoredLayer:
    """Return a layer as today's Keras has it: Keras 2's hard_sigmoid is its own with scaled arrays."""
    cells = tuple(tuple(with_todays(cell) if scaled_gates(cell) else cell for cell in row) for row in layer.cells)
    return replace(layer, cells=cells)


def same(actual: StoredLayer, expected: StoredLayer) -> None:
    assert actual.options == expected.options, expected.name
    for one, other in zip(actual.cells, expected.cells, strict=True):
        for cell, wanted in zip(one, other, strict=True):
            assert cell.spec == wanted.spec, expected.name
            weights, right = cell.read(), wanted.read().in_order(cell.read().gates)
            np.testing.assert_array_equal(weights.kernel, right.kernel)
            np.testing.assert_array_equal(weights.recurrent_kernel, right.recurrent_kernel)
            np.testing.assert_array_equal(weights.summed_bias(), right.summed_bias())


def test_a_swapped_gate_a_lost_option_and_a_reversed_direction_are_detected(tmp_path: Path) -> None:
    """The control for the tests above: a slightly wrong port is detected."""
    checkpoint = written_by_torch("zip.pt", tmp_path).checkpoint
    layer = replace(checkpoint["both"], assumed=frozenset())  # a state_dict does not state the activation
    cells = (layer.cells[0][::-1],)
    save_checkpoint(tmp_path / "turned.npz", {"both": replace(layer, cells=cells)})
    assert verify(checkpoint, tmp_path / "turned.npz", ["both"]).status == 1
    with pytest.raises(AssertionError):
        same(open_checkpoint(tmp_path / "turned.npz")["both"], layer)
    relu = replace(layer.cells[0][0], spec=replace(layer.cells[0][0].spec, activation="relu"))
    save_checkpoint(tmp_path / "relu.npz", {"both": replace(layer, cells=((relu, layer.cells[0][1]),))})
    save_checkpoint(tmp_path / "tanh.npz", {"both": layer})
    assert verify(open_checkpoint(tmp_path / "tanh.npz"), tmp_path / "relu.npz").status == 1
    assert verify(checkpoint, tmp_path / "relu.npz", ["both"]).rows[0].unstated
