"""The written `load` takes every safetensors file, and names any other; a live port is copied and pickled.

Covers: `frameworks/models/pytorch/loading.py`, `frameworks/models/pytorch/building.py`.
"""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import pytest
import torch

from frameworks.models import port_model, to_source
from tests.frameworks.models.test_source import BIAS, KERNEL, dense, imported, lied

DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "C64": "complex64",
    "BOOL": "bool",
}
"""The dtypes of the format, as in huggingface/safetensors, bindings/python/py_src/safetensors/torch.py."""


def content(tensor: torch.Tensor) -> bytes:
    return tensor.reshape(-1).view(torch.uint8).numpy().tobytes()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the module of a port of a Dense layer, `__file__` beside its arrays."""
    folder = tmp_path_factory.mktemp("port")
    dense().write(folder / "port")
    return imported(folder / "port.py")


@pytest.mark.parametrize("short", DTYPES)
def test_every_dtype_of_the_format_is_loaded(short: str, port: Any, tmp_path: Path) -> None:
    data = content(torch.ones(2, dtype=getattr(torch, DTYPES[short])))
    entry = {"dtype": short, "shape": [2], "data_offsets": [0, len(data)]}
    (tmp_path / "ones.safetensors").write_bytes(lied({"a": entry}, data))
    loaded = port.load(tmp_path / "ones.safetensors")["a"]
    assert str(loaded.dtype) == f"torch.{DTYPES[short]}"
    assert loaded.to(torch.complex64).tolist() == [1, 1]


def test_weights_in_bfloat16_give_a_model_of_bfloat16(port: Any, tmp_path: Path) -> None:
    header, data = dict[str, Any](), b""
    for name, each in port.load(Path(port.__file__).with_suffix(".safetensors")).items():
        rounded = content(each.bfloat16())
        header[name] = {"dtype": "BF16", "shape": each.shape, "data_offsets": [len(data), len(data) + len(rounded)]}
        data += rounded
    (tmp_path / "half.safetensors").write_bytes(lied(header, data))
    model = port.build(tmp_path / "half.safetensors")
    assert model(torch.eye(3, dtype=torch.bfloat16)).tolist() == (KERNEL + BIAS).tolist()


def test_another_file_is_named_for_what_it_is(port: Any, tmp_path: Path) -> None:
    state, arrays = port.build().state_dict(), Path(port.__file__).with_suffix(".safetensors").read_bytes()
    torch.save(state, tmp_path / "new.pt")
    torch.save(state, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "cut.safetensors").write_bytes(arrays[:40])
    saved = "a zip file or a pickle, such as torch.save writes"
    for name, what in {"new.pt": saved, "old.pt": saved, "cut.safetensors": "something else, or a part of one"}.items():
        with pytest.raises(ValueError, match=rf"{name} must be a safetensors file, but is {what}"):
            port.build(tmp_path / name)
    (tmp_path / "short.safetensors").write_bytes(arrays[:-3])
    with pytest.raises(ValueError, match=r"short.safetensors has \d+ bytes, but its header states"):
        port.load(tmp_path / "short.safetensors")
    with pytest.raises(FileNotFoundError, match=r"missing\.safetensors"):
        port.build(tmp_path / "missing.safetensors")


def test_a_dtype_that_torch_lacks_is_named(port: Any, tmp_path: Path) -> None:
    (tmp_path / "odd.safetensors").write_bytes(lied({"a": {"dtype": "F4", "shape": [2], "data_offsets": [0, 1]}}, bytes(1)))
    with pytest.raises(ValueError, match=r"'a' in .*odd.safetensors must have a dtype of torch, but has 'F4'"):
        port.load(tmp_path / "odd.safetensors")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a model whose layers become classes of their own."""
    path, layers = tmp_path_factory.mktemp("model") / "model.keras", keras.layers
    x = keras.Input((5, 3), batch_size=2)
    y = layers.GRU(4, reset_after=False, return_sequences=True)(layers.Masking()(x))
    z = layers.Flatten()(layers.ConvLSTM1D(2, 2)(layers.Reshape((5, 3, 1))(x)))
    keras.Model(x, [layers.LSTM(4, stateful=True)(y), z]).save(path)
    return path


READ = """
import sys, torch
model, x, expected = torch.load(sys.argv[1], weights_only=False)
for one, other in zip(model(x), expected):
    assert torch.equal(one, other)
"""


def test_a_live_port_is_copied_and_pickled(file: Path, tmp_path: Path) -> None:
    model, x = port_model(file), torch.randn(2, 5, 3)
    copied, unpickled = copy.deepcopy(model), pickle.loads(pickle.dumps(model))  # noqa: S301  our own
    torch.save((model, x, tuple(each.detach() for each in copied(x))), tmp_path / "model.pt")
    subprocess.run([sys.executable, "-c", READ, tmp_path / "model.pt"], check=True)
    expected = model(x)
    for other in (unpickled, torch.load(tmp_path / "model.pt", weights_only=False)[0]):
        assert type(other) is type(copied) is type(model)
        assert all(map(torch.equal, other(x), expected))
    model.load_state_dict({name: torch.zeros_like(each) for name, each in model.state_dict().items()})
    assert not torch.equal(model(x)[1], copied(x)[1])


def test_a_model_without_its_file_has_new_weights(file: Path, tmp_path: Path) -> None:
    to_source(file).write(tmp_path / "port")
    module = imported(tmp_path / "port.py")
    (name,) = (each for each in vars(module) if each == type(module.build()).__name__)
    torch.manual_seed(1)
    first = getattr(module, name)().state_dict()
    torch.manual_seed(1)
    second = getattr(module, name)().state_dict()
    for array, each in first.items():
        assert torch.equal(each, second[array]), array
        assert 0 < each.abs().max() <= 1, array
