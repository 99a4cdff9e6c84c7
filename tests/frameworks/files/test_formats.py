"""The table of formats: each row recognises its files, imports only its own reader, and its reader keeps the Protocol."""

from __future__ import annotations

import inspect
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from frameworks.files import StoredLayer, open_checkpoint, save_checkpoint
from frameworks.files.formats import FORMATS, DescribedReader, Format, Reader, StateDictReader
from frameworks.files.given_options import GivenOptions
from frameworks.files.untrusted.source import open_source

ROOT = Path(__file__).parents[3]
DATA = Path(__file__).with_name("data")
ROWS = {row.name: row for row in FORMATS}


def export(arrays: dict[str, Any], path: Path) -> None:
    """Write a state dict in the format of torch.export.save, after torch/_export/serde/schema.py."""
    config = {}
    with zipfile.ZipFile(path, "w") as archive:
        for number, (name, array) in enumerate(arrays.items()):
            steps = np.array(array.strides) // array.itemsize
            config[name] = {
                "path_name": f"weight_{number}",
                "use_pickle": False,
                "tensor_meta": {
                    "dtype": 7,
                    "sizes": [{"as_int": size} for size in array.shape],
                    "strides": [{"as_int": int(step)} for step in steps],
                    "storage_offset": {"as_int": 0},
                },
            }
            archive.writestr(f"a/data/weights/weight_{number}", array.tobytes())
        archive.writestr("a/data/weights/model_weights_config.json", json.dumps({"config": config}))


def index(arrays: dict[str, Any], path: Path) -> None:
    save_checkpoint(path.with_name("shard.safetensors"), {"rec": nn.LSTM(3, 4)})
    path.write_text(json.dumps({"weight_map": dict.fromkeys(arrays, "shard.safetensors")}))


def in_tensorflow(save: str) -> Callable[[dict[str, Any], Path], None]:
    """Return what saves a model of Keras 2 in a format of TensorFlow."""

    def write(_arrays: dict[str, Any], path: Path) -> None:
        import tf_keras

        model = tf_keras.Sequential([tf_keras.layers.Input((7, 3)), tf_keras.layers.SimpleRNN(4, name="rec")])
        if save == "model":
            model.save(path.parent, save_traces=False)
        else:
            model.save_weights(path.with_suffix(""))

    return write


def state_dict(arrays: dict[str, Any], **how: Any) -> Callable[[Path], None]:
    return lambda path: torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, path, **how)


SAMPLES: dict[str, tuple[str, Callable[[dict[str, Any], Path], object]]] = {
    "Keras h5": ("a.h5", lambda arrays, path: shutil.copy(DATA / "keras2" / "masked_2_12.h5", path)),
    "Keras zip": ("a.keras", lambda arrays, path: shutil.copy(DATA / "keras2" / "masked_2_12.keras", path)),
    "PyTorch zip": ("a.pt", lambda arrays, path: state_dict(arrays)(path)),
    "PyTorch export": ("a.pt2", export),
    "PyTorch before 1.6": ("a.pth", lambda arrays, path: state_dict(arrays, _use_new_zipfile_serialization=False)(path)),
    "NumPy": ("a.npz", lambda arrays, path: np.savez(path, **arrays)),
    "safetensors": ("a.safetensors", lambda arrays, path: save_checkpoint(path, {"rec": nn.LSTM(3, 4)})),
    "ONNX": ("a.onnx", lambda arrays, path: path.write_bytes(np.load(DATA / "onnx_nodes.npz")["gru before/model"].tobytes())),
    "SavedModel": ("saved_model.pb", in_tensorflow("model")),
    "TensorFlow checkpoint": ("a.index", in_tensorflow("weights")),
    "index of shards": ("a.index.json", index),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write a file of each format."""
    rng = np.random.default_rng(0)
    shapes = {"weight_ih_l0": (16, 3), "weight_hh_l0": (16, 4), "bias_ih_l0": (16,), "bias_hh_l0": (16,)}
    arrays = {f"rec.{name}": rng.normal(size=shape).astype("f4") for name, shape in shapes.items()}
    made = {}
    for name, (file, write) in SAMPLES.items():
        made[name] = tmp_path_factory.mktemp("formats") / file
        write(arrays, made[name])
    return made


def imported_by(statement: str) -> set[str]:
    """Return the readers and parsers that a process has imported after a statement."""
    parsers = ["frameworks.files.untrusted.unpickling", "frameworks.files.untrusted.protobuf"]
    text = f"import sys; {statement}; print(*sys.modules.keys() & set({[*(row.module for row in FORMATS), *parsers]!r}))"
    run = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(run.stdout.split())


def test_there_is_a_file_of_every_format() -> None:
    assert list(SAMPLES) == list(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_opening_a_file_imports_only_its_own_reader(name: str, files: dict[str, Path]) -> None:
    own = {ROWS[name].module, *({ROWS["safetensors"].module} if name == "index of shards" else ())}
    parsers = {
        "PyTorch zip": "unpickling",
        "PyTorch before 1.6": "unpickling",
        "PyTorch export": "unpickling",
        "ONNX": "protobuf",
        "SavedModel": "protobuf",
        "TensorFlow checkpoint": "protobuf",
    }
    own |= {f"frameworks.files.untrusted.{parsers[name]}"} if name in parsers else set()
    imported = imported_by(f"from frameworks.files import open_checkpoint; assert open_checkpoint({str(files[name])!r})")
    assert imported == own


def test_an_unknown_file_imports_no_reader_and_the_error_says_what_it_is(tmp_path: Path, refused: Any) -> None:
    (tmp_path / "a.h5").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    opened = f"from frameworks.files import open_checkpoint\ntry: open_checkpoint({str(tmp_path / 'a.h5')!r})"
    assert not imported_by(f"{opened}\nexcept ValueError: pass\nelse: raise SystemExit(1)\npass")
    with refused("a.h5", "a pointer of Git LFS"):
        open_checkpoint(tmp_path / "a.h5")


def test_an_unneeded_import_of_a_reader_is_detected() -> None:
    assert imported_by(f"import {ROWS['NumPy'].module}") == {ROWS["NumPy"].module}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_recognises_its_own_files_and_no_others(name: str, files: dict[str, Path]) -> None:
    assert [other for other, path in files.items() if ROWS[name].recognises(open_source(path))] == [name]


def departures(row: Format, module: Any) -> list[str]:
    """Return the functions of a reader that depart from the Protocol that its row promises."""
    promised: dict[str, Any] = {"read": (DescribedReader if row.takes_architecture else Reader).read}
    if row.is_state_dict:
        promised["read_arrays"] = StateDictReader.read_arrays
    return [name for name in ("read", "read_arrays") if shape(getattr(module, name, None)) != shape(promised.get(name))]


def shape(function: Any) -> object:
    """Return a function's parameters and result, without `self`."""
    if function is None:
        return None
    signature = inspect.signature(function, eval_str=True)
    parameters = [(each.name, each.annotation) for each in signature.parameters.values() if each.name != "self"]
    return parameters, signature.return_annotation


@pytest.mark.parametrize("name", ROWS)
def test_a_reader_keeps_the_protocol_of_its_row(name: str, files: dict[str, Path]) -> None:
    row = ROWS[name]
    assert departures(row, import_module(row.module)) == []
    layers = row.read(open_source(files[name]), GivenOptions())
    assert any(isinstance(layer, StoredLayer) for layer in layers)
    if row.is_state_dict:
        arrays, unread = row.read_arrays(open_source(files[name]))
        assert sorted(arrays) == [f"rec.{part}_l0" for part in ("bias_hh", "bias_ih", "weight_hh", "weight_ih")]
        assert unread == []


def test_a_reader_that_departs_from_its_protocol_is_detected() -> None:
    def read(_source: Any, _answers: Any) -> list[Any]:
        return []

    keras, zipped, npz = (ROWS[name] for name in ("Keras zip", "PyTorch zip", "NumPy"))
    assert departures(npz, SimpleNamespace(read=read)) == ["read"]
    assert departures(zipped, import_module(npz.module)) == ["read_arrays"]
    assert departures(npz, import_module(zipped.module)) == ["read_arrays"]
    assert departures(keras, import_module(npz.module)) == ["read"]


@pytest.mark.parametrize("name", [row.name for row in FORMATS if not row.takes_architecture])
def test_an_architecture_is_refused_for_a_format_without_one(name: str, files: dict[str, Path], refused: Any) -> None:
    with refused(f"architecture for {files[name].name} must be left out", name, "Open the file without it"):
        open_checkpoint(files[name], architecture={"class_name": "Sequential", "config": []})
    assert open_checkpoint(files[name]).format == name


def test_an_architecture_overrides_that_of_a_keras_file(files: dict[str, Path]) -> None:
    with zipfile.ZipFile(files["Keras zip"]) as archive:
        architecture = json.loads(archive.read("config.json").replace(b'"return_state": false', b'"return_state": true'))
    for name in ("Keras h5", "Keras zip"):
        plain, said = (open_checkpoint(files[name], architecture=given) for given in (None, architecture))
        flags = [[layer.options.return_state for layer in each.values() if layer.options] for each in (plain, said)]
        assert not all(flags[0])
        assert all(flags[1])


def test_a_large_safetensors_header_is_not_taken_for_onnx(tmp_path: Path) -> None:
    arrays = {"rec.weight_ih_l0": (4, 3), "rec.weight_hh_l0": (4, 4)}
    header, end = {}, 0
    for name, sizes in arrays.items():
        header[name] = {"dtype": "F32", "shape": sizes, "data_offsets": [end, end := end + 4 * sizes[0] * sizes[1]]}
    content = (0x120708).to_bytes(8, "little") + json.dumps(header).encode().ljust(0x120708) + bytes(end)
    assert ROWS["ONNX"].recognises(source_of(tmp_path, content))  # its first bytes fit both formats
    assert open_checkpoint(tmp_path / "a").format == "safetensors"


def source_of(folder: Path, content: bytes) -> Any:
    (folder / "a").write_bytes(content)
    return open_source(folder / "a")


@pytest.mark.parametrize("name", ["Keras h5", "NumPy", "ONNX", "index of shards"])
def test_a_shard_must_be_a_state_dict(name: str, files: dict[str, Path], tmp_path: Path, refused: Any) -> None:
    shutil.copy(files[name], tmp_path / "shard")
    (tmp_path / "a.index.json").write_text(json.dumps({"weight_map": {"rec.weight_ih_l0": "shard"}}))
    with refused("shard must be of a known format: PyTorch zip"):
        open_checkpoint(tmp_path / "a.index.json")


@pytest.mark.parametrize(
    ("name", "wrong"), [("Keras h5", "batch_first"), ("PyTorch zip", "reset_after"), ("ONNX", "batch_first")]
)
def test_an_option_that_a_layer_does_not_have_is_refused_in_the_same_words(
    name: str, wrong: str, files: dict[str, Path], refused: Any
) -> None:
    layer = next(iter(open_checkpoint(files[name])))
    with refused(f"the option {wrong} of {layer} must be", "but is not an option of this layer. Leave it out"):
        open_checkpoint(files[name], options={layer: {wrong: True}})
    assert open_checkpoint(files[name], options={None: {wrong: True}})
