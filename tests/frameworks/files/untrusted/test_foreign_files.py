"""Files of other programs are called what they are, and the line that saves their weights gives a file with these weights.

Covers: `frameworks/files/untrusted/foreign_files.py`, `frameworks/files/untrusted/foreign_code.py`.
"""

from __future__ import annotations

import ast
import json
import pickle
import re
import subprocess
import sys
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frameworks.errors import GatewiseError
from frameworks.files import open_checkpoint

RNG = np.random.default_rng(0)


def message_for(path: Path) -> str:
    """Return the message in which a file is refused."""
    with pytest.raises(GatewiseError) as caught:
        open_checkpoint(path)
    return str(caught.value)


def line_of(message: str) -> str:
    """Return the line of Python that a message tells the user to run."""
    match = re.search("`(import .*)`", message)
    assert match, message
    return match[1]


def run(line: str) -> None:
    """Run a line as a user does."""
    subprocess.run([sys.executable, "-c", line], check=True, timeout=60)


def proto(number: int, value: bytes | int) -> bytes:
    """Encode a short field of a protocol buffer."""
    tag, key = [], number << 3 | (0 if isinstance(value, int) else 2)
    while key > 127:
        tag.append(key & 127 | 128)
        key >>= 7
    head = bytes([*tag, key])
    return head + (bytes([value]) if isinstance(value, int) else bytes([len(value)]) + value)


GRAPH = proto(1, 8) + proto(2, b"test") + proto(7, b"")
FROZEN = proto(1, proto(1, b"input") + proto(2, b"Placeholder") + proto(5, b"shape"))
FOREIGN: dict[str, tuple[bytes, str]] = {
    "keras_metadata.pb": (proto(1, proto(3, b"root")), "the metadata of a TensorFlow SavedModel"),
    "frozen.pb": (FROZEN, "a frozen graph of TensorFlow"),
    "a.mlmodel": (proto(1, 4) + proto(2, b"description") + proto(500, b"network"), "a Core ML model"),
    "pipeline.mlmodel": (proto(1, 1) + proto(2, b"description") + proto(202, b"pipeline"), "a Core ML model"),
    "a.onnx": (GRAPH, "an ONNX file of no layers"),
    "first.onnx": (proto(1, 1) + proto(2, b"test") + proto(7, b""), "an ONNX file of no layers"),
    "keras.pkl": (pickle.dumps({"model": "keras.src.models.sequential"}), "a pickled Keras model"),
    "torch.pkl": (pickle.dumps("torch._utils"), "a pickle of torch objects"),
    "a.joblib": (pickle.dumps("joblib.numpy_pickle"), "a pickle that joblib wrote"),
    "packed.joblib": (zlib.compress(pickle.dumps([1.0] * 100)), "compressed, as joblib does"),
    "other.pkl": (pickle.dumps([1, 2]), "a pickle that torch did not write"),
    "a.npy": (b"\x93NUMPY\x01\x00v\x00{'descr'", "a single array"),
    "a.mat": (b"MATLAB 5.0 MAT-file, Platform: GLNXA64", "a MATLAB file"),
    "b.mat": (b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF\r\n\x1a\n", "a MATLAB 7.3 file"),
    "a.rds": (b"\x1f\x8b\x08\x00", "data of R"),
    "a.gguf": (b"GGUF\x03\x00\x00\x00", "a GGUF file"),
    "a.pte": (b"\x10\x00\x00\x00ET12", "an ExecuTorch program"),
    "a.tflite": (b"\x1c\x00\x00\x00TFL3", "a TensorFlow Lite model"),
    "group1-shard1of2.bin": (b"\x00\x01", "the weights of a TensorFlow.js model"),
    "model.json": (b'{"format": "graph-model", "modelTopology": {"node": []}, "weightsManifest": []}', "a TensorFlow.js graph"),
    "config.json": (b'{"model_type": "bert"}', "JSON without an architecture of Keras"),
    "architecture.json": (b'{"class_name": "Sequential", "config": []}', "JSON, as an architecture is"),
    "checkpoint": (b'model_checkpoint_path: "ckpt-3"\n', "the list of a folder's TensorFlow checkpoints"),
    "ckpt-3.data-00000-of-00001": (b"\x01\x02", "a part of a TensorFlow checkpoint"),
    "unknown.bin": (b"\x01\x02", "not one of these; it begins with 01 02"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_is_called_what_it_is_and_nothing_else(name: str, tmp_path: Path, refused: Any) -> None:
    content, said = FOREIGN[name]
    (tmp_path / name).write_bytes(content)
    with refused(name, said):
        open_checkpoint(tmp_path / name)
    message = message_for(tmp_path / name)
    others = {other for _, other in FOREIGN.values() if other != said}
    assert not [other for other in others if f"is {other}" in message]


def folder_of(path: Path, *names: str) -> Path:
    path.mkdir()
    for name in names:
        (path / name).write_bytes(b"x")
    return path


def test_a_folder_is_called_what_it_is(tmp_path: Path, refused: Any) -> None:
    cases = {
        folder_of(tmp_path / "steps", "ckpt-1.index", "ckpt-{2}.index"): "a folder of TensorFlow checkpoints: ckpt-1, ckpt-{2}",
        folder_of(tmp_path / "a.mlpackage", "Manifest.json"): "a Core ML model",
        folder_of(tmp_path / "plain", "model.h5"): "a folder. Open the checkpoint in it",
    }
    for path, said in cases.items():
        with refused(path.name, said):
            open_checkpoint(path)
    with refused("ckpt-9", "No such file"):
        open_checkpoint(tmp_path / "steps" / "ckpt-9")


def test_an_architecture_without_layers_is_blamed_itself(tmp_path: Path, refused: Any) -> None:
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    for name, content, said in (
        ("tokenizer.json", '{"version": 1, "vocab": {}}', "but has no class_name, but version, vocab"),
        ("empty.json", "{}", "but has no class_name"),
        ("weights.h5", "\x89HDF", "but begins with"),
    ):
        (tmp_path / name).write_text(content)
        with refused(f"{name} must be the JSON of an architecture", said):
            open_checkpoint(tmp_path / "a.h5", architecture=tmp_path / name)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def chainer_lstm(x: Any, arrays: dict[str, Any], units: int) -> Any:
    """Compute Chainer's LSTM as its documentation of functions.lstm states it; the gates of a unit are neighbours."""
    h = c = np.zeros((len(x), units))
    for step in range(x.shape[1]):
        sums = x[:, step] @ arrays["upward/W"].T + arrays["upward/b"] + h @ arrays["lateral/W"].T
        a, i, f, o = (sums.reshape(len(x), units, 4)[:, :, gate] for gate in range(4))
        c = np.tanh(a) * sigmoid(i) + sigmoid(f) * c
        h = sigmoid(o) * np.tanh(c)
    return h


@pytest.mark.parametrize(("size", "units", "owner"), [(4, 5, "lstm/"), (3, 2, 'predictor/"l1"/')])
def test_the_line_for_chainer_gives_the_layer_and_its_gates_are_never_read_as_torch_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, units: int, owner: str
) -> None:
    shapes = {"upward/W": (4 * units, size), "upward/b": (4 * units,), "lateral/W": (4 * units, units)}
    arrays: dict[str, Any] = {name: RNG.normal(0, 0.5, shape).astype("f4") for name, shape in shapes.items()}
    monkeypatch.chdir(tmp_path)
    np.savez("model.npz", **{f"{owner}{name}": array for name, array in arrays.items()})
    message = message_for(Path("model.npz"))
    assert "as Chainer names them" in message
    run(line_of(message))
    layer, x = open_checkpoint("lstm.npz")["lstm"], RNG.normal(size=(2, 6, size)).astype("f4")
    np.testing.assert_allclose(np.asarray(layer.forward(x).output)[:, -1], chainer_lstm(x, arrays, units), rtol=0, atol=1e-6)
    wrong = {
        "l.weight_ih_l0": "upward/W",
        "l.weight_hh_l0": "lateral/W",
        "l.bias_ih_l0": "upward/b",
        "l.bias_hh_l0": "upward/b",
    }
    np.savez("wrong.npz", **{name: arrays[own] * (name != "l.bias_hh_l0") for name, own in wrong.items()})
    naive = np.asarray(open_checkpoint("wrong.npz")["l"].forward(x).output)[:, -1]
    assert np.abs(naive - chainer_lstm(x, arrays, units)).max() > 1e-2


def tfjs(folder: Path, weights: dict[str, Any], shards: int) -> Path:
    """Write a model of TensorFlow.js with two groups, the first of which is split into shards."""
    folder.mkdir(exist_ok=True)
    names, content = list(weights), [array.tobytes() for array in weights.values()]
    first = b"".join(content[:-1])
    cuts = [round(len(first) * part / shards) for part in range(shards + 1)]
    groups = [
        ([first[one:other] for one, other in pairwise(cuts)], names[:-1]),
        ([content[-1]], names[-1:]),
    ]
    manifest = []
    for number, (parts, own) in enumerate(groups, 1):
        paths = [f"group{number}-shard{part}of{len(parts)}.bin" for part in range(1, len(parts) + 1)]
        for path, part in zip(paths, parts, strict=True):
            (folder / path).write_bytes(part)
        entries = [{"name": name, "shape": list(weights[name].shape), "dtype": weights[name].dtype.name} for name in own]
        manifest.append({"paths": paths, "weights": entries})
    lstm = {"name": "lstm", "units": 5, "activation": "tanh", "recurrent_activation": "hard_sigmoid", "return_sequences": True}
    layers = [{"class_name": "LSTM", "config": lstm}, {"class_name": "Dense", "config": {"name": "dense", "units": 2}}]
    topology = {
        "keras_version": "2.4.0",
        "model_config": {"class_name": "Sequential", "config": {"name": "m", "layers": layers}},
    }
    model = {"format": "layers-model", "modelTopology": topology, "weightsManifest": manifest}
    (folder / "model.json").write_text(json.dumps(model))
    return folder / "model.json"


@pytest.mark.parametrize("shards", [1, 3])
def test_the_line_for_tensorflow_js_gives_all_layers_with_their_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shards: int
) -> None:
    cell = {"kernel": (4, 20), "recurrent_kernel": (5, 20), "bias": (20,)}
    shapes = {**{f"lstm/lstm_cell/{name}": shape for name, shape in cell.items()}, "dense/kernel": (5, 2), "dense/bias": (2,)}
    weights = {name: RNG.normal(size=shape).astype("f4") for name, shape in shapes.items()}
    message = message_for(tfjs(tmp_path / "web", weights, shards))
    monkeypatch.chdir(tmp_path / "web")
    run(line_of(message))
    checkpoint = open_checkpoint("model.h5")
    spec, options = checkpoint["lstm"].spec, checkpoint["lstm"].options
    assert (spec.recurrent_activation, options and options.return_sequences) == ("keras2_hard_sigmoid", True)
    for name in cell:
        np.testing.assert_array_equal(checkpoint["lstm"].cells[0][0].arrays[name].read(), weights[f"lstm/lstm_cell/{name}"])
    np.testing.assert_array_equal(checkpoint.others["dense"].arrays["kernel"], weights["dense/kernel"])


def test_rounded_weights_of_tensorflow_js_get_no_line(tmp_path: Path) -> None:
    path = tfjs(tmp_path / "web", {"lstm/kernel": np.ones((4, 20), "f4"), "lstm/bias": np.ones(20, "f4")}, 1)
    path.write_text(path.read_text().replace('"dtype"', '"quantization": {"dtype": "uint8"}, "dtype"'))
    assert "rounded to integers" in message_for(path)
    assert "`" not in message_for(path)


NAMES = {
    'a"); ran.append(1) #.json': b'{"modelTopology": {"model_config": {}}, "weightsManifest": []}',
    'a"); ran.append(1) #.pkl': pickle.dumps("keras"),
}


@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_a_file_adds_no_code_to_a_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / name).write_bytes(NAMES[name])
    monkeypatch.chdir(tmp_path)
    line = line_of(message_for(Path(name)))
    assert "ran.append" in line
    assert "ran" not in {node.id for node in ast.walk(ast.parse(line)) if isinstance(node, ast.Name)}


def test_code_in_a_line_is_detected() -> None:
    assert "ran" in {node.id for node in ast.walk(ast.parse("open('a'); ran.append(1) #')")) if isinstance(node, ast.Name)}


def test_a_printed_line_opens_the_file_from_where_the_user_is(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    arrays: Any = {"l/upward/W": np.zeros((4, 1)), "l/upward/b": np.zeros(4), "l/lateral/W": np.zeros((4, 1))}
    np.savez(tmp_path / "runs" / "c.npz", **arrays)
    assert repr(str(tmp_path / "runs" / "c.npz")) in line_of(message_for(tmp_path / "runs" / "c.npz"))
