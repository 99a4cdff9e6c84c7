"""A source is written as two files that belong together, both or neither, and takes only arrays that are its own.

Covers: `frameworks/models/source.py`, `frameworks/models/pytorch/loading.py`.
"""

from __future__ import annotations

import importlib.util
import json
import signal
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from frameworks.files.other_layers import OtherLayer
from frameworks.files.untrusted.source import in_memory
from frameworks.models import Source
from frameworks.models.graph import Call, Graph, Layer, Tensor
from frameworks.models.pytorch.writing import write_module
from tests.conftest import Refused

KERNEL = np.arange(12, dtype="float32").reshape(3, 4)
BIAS = np.arange(4, dtype="float32")


def dense(name: str = "dense", kernel: np.ndarray[Any, Any] = KERNEL) -> Source:
    stored = OtherLayer(name, "Dense", {"kernel": in_memory(kernel), "bias": in_memory(BIAS)}, known=True)
    layers = {"x": Layer("x", "InputLayer"), name: Layer(name, "Dense", {"units": 4}, stored)}
    return write_module(
        Graph("model", "Functional", layers, (Call(name, args=(Tensor("x"),)),), (Tensor("x"),), (Tensor(name),))
    )


def imported(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("port", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["port", "port.py"])
def test_both_files_are_written_with_or_without_the_ending(name: str, tmp_path: Path) -> None:
    source = dense()
    assert source.write(tmp_path / name) == [tmp_path / "port.py", tmp_path / "port.safetensors"]
    assert (tmp_path / "port.py").read_text() == source.text
    assert source.arrays.keys() == {"dense.weight", "dense.bias"}
    content = (tmp_path / "port.safetensors").read_bytes()
    start = 8 + struct.unpack("<Q", content[:8])[0]
    begin, end = json.loads(content[8:start])["dense.weight"]["data_offsets"]
    assert content[start + begin : start + end] == KERNEL.T.tobytes()
    model = imported(tmp_path / "port.py").build()
    np.testing.assert_array_equal(model(torch.eye(3)).detach().numpy(), KERNEL + BIAS)


@pytest.mark.parametrize("existing", ["port.py", "port.safetensors", "port.parity.json"])
def test_an_existing_file_is_replaced_only_with_force(existing: str, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / existing).write_text("mine")
    with refused(existing, "must not exist yet", "force=True"):
        dense().write(tmp_path / "port")
    assert [each.name for each in tmp_path.iterdir()] == [existing]
    assert (tmp_path / existing).read_text() == "mine"
    dense().write(tmp_path / "port", force=True)
    assert imported(tmp_path / "port.py").build()(torch.eye(3)).shape == (3, 4)


def test_a_failure_leaves_no_file(tmp_path: Path, refused: Refused) -> None:
    source = dense()

    def broken() -> Any:
        yield BIAS
        raise OSError("the disk is gone")

    name, blocks = list(source.blocks.items())[-1]
    with refused("port.safetensors", "must be writable", "the disk is gone"):
        replace(source, blocks={**source.blocks, name: replace(blocks, blocks=broken)}).write(tmp_path / "port")
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.frameworks.models.test_source import dense
known, left = Path.replace, [int(sys.argv[2])]
def replace(self, target):
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    return known(self, target)
Path.replace = replace
dense("other").write(sys.argv[1], force=True)
"""


@pytest.mark.parametrize("renamed", [0, 1, 4])
def test_a_killed_run_leaves_the_earlier_port_or_none(renamed: int, tmp_path: Path) -> None:
    dense().write(tmp_path / "port")
    (tmp_path / "port.parity.json").write_text("of the earlier port")
    command: list[str | Path] = [sys.executable, "-c", KILLED, tmp_path / "port", str(renamed)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert (tmp_path / "port.py").exists() == (not renamed)
    assert (tmp_path / "port.parity.json").exists() == (renamed < 2)
    if not renamed:
        assert imported(tmp_path / "port.py").build().dense(torch.eye(3)).shape == (3, 4)
    dense("other").write(tmp_path / "port", force=True)
    assert imported(tmp_path / "port.py").build().other(torch.eye(3)).shape == (3, 4)
    assert sorted(each.name for each in tmp_path.iterdir() if each.is_file()) == ["port.py", "port.safetensors"]


def test_arrays_of_another_port_are_not_taken(tmp_path: Path) -> None:
    dense().write(tmp_path / "port")
    dense("other").write(tmp_path / "other")
    (tmp_path / "other.safetensors").replace(tmp_path / "port.safetensors")
    with pytest.raises(ValueError, match=r"port\.safetensors belongs to another version of .*port\.py: write both again"):
        imported(tmp_path / "port.py").build()


@pytest.mark.parametrize("earlier", [True, False])
@pytest.mark.parametrize("renamed", range(5))
def test_a_failure_while_the_files_get_their_names_changes_nothing(
    renamed: int, *, earlier: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    if earlier:
        dense().write(tmp_path / "port")
        (tmp_path / "port.parity.json").write_text("of the earlier port")
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    known, left = Path.replace, [renamed if earlier else renamed % 2]

    def failing(self: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] == -1:
            raise PermissionError(1, "not yours", str(target))
        return known(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with refused("must be writable", "not yours"):
        dense("other").write(tmp_path / "port", force=True)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


def test_a_link_is_kept_and_the_file_that_it_leads_to_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "source.py").write_text("mine")
    (tmp_path / "port.py").symlink_to(tmp_path / "real" / "source.py")
    dense().write(tmp_path / "port", force=True)
    assert (tmp_path / "port.py").is_symlink()
    assert imported(tmp_path / "port.py").build()(torch.eye(3)).shape == (3, 4)
    assert [each.name for each in (tmp_path / "real").iterdir()] == ["source.py"]


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors:UserWarning")  # torch, of its own start
def test_arrays_without_elements_are_loaded(tmp_path: Path) -> None:
    dense(kernel=np.zeros((0, 4), "float32")).write(tmp_path / "port")
    model = imported(tmp_path / "port.py").build()
    assert model.dense.weight.shape == (4, 0)
    np.testing.assert_array_equal(model(torch.zeros(2, 0)).detach().numpy(), [BIAS, BIAS])


def lied(header: dict[str, Any], data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_arrays_that_other_programs_saved_are_loaded(tmp_path: Path) -> None:
    dense().write(tmp_path / "port")
    entries = {"dense.bias": (4,), "dense.weight": (4, 3)}
    header = {
        name: {"dtype": "F32", "shape": shape, "data_offsets": offsets}
        for (name, shape), offsets in zip(entries.items(), ([0, 16], [16, 64]), strict=True)
    }
    (tmp_path / "tuned.safetensors").write_bytes(lied(header, np.arange(16, dtype="float32").tobytes()))
    model = imported(tmp_path / "port.py").build(tmp_path / "tuned.safetensors")
    np.testing.assert_array_equal(model.dense.weight.detach().numpy(), np.arange(4, 16).reshape(4, 3))


ARRAY = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
LIES: dict[str, bytes] = {
    "empty": b"",
    "header longer than the file": struct.pack("<Q", 1 << 60) + b"{}",
    "no JSON": struct.pack("<Q", 2) + b"}{",
    "a list": lied([], b""),  # type: ignore[arg-type]
    "beyond the end": lied({"a": {**ARRAY, "shape": [5], "data_offsets": [0, 20]}}, bytes(16)),
    "more data than stated": lied({"a": ARRAY}, bytes(20)),
    "overlapping": lied({"a": ARRAY, "b": ARRAY}, bytes(16)),
    "a gap": lied({"a": ARRAY, "b": {**ARRAY, "data_offsets": [20, 36]}}, bytes(36)),
    "another shape": lied({"a": {**ARRAY, "shape": [2]}}, bytes(16)),
    "a negative size": lied({"a": {**ARRAY, "shape": [-1]}}, bytes(16)),
    "unknown dtype": lied({"a": {**ARRAY, "dtype": "F33"}}, bytes(16)),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_header_that_lies_is_an_error(lie: str, tmp_path: Path) -> None:
    dense().write(tmp_path / "port")
    port = imported(tmp_path / "port.py")
    (tmp_path / "lie.safetensors").write_bytes(LIES[lie])
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        port.load(tmp_path / "lie.safetensors")
    (tmp_path / "true.safetensors").write_bytes(lied({"a": ARRAY}, bytes(16)))
    assert port.load(tmp_path / "true.safetensors")["a"].tolist() == [0.0] * 4


def test_weights_of_another_model_are_an_error(tmp_path: Path) -> None:
    dense().write(tmp_path / "port")
    (tmp_path / "port.safetensors").write_bytes(lied({"a": ARRAY}, bytes(16)))
    with pytest.raises(RuntimeError, match="Missing key"):
        imported(tmp_path / "port.py").build()
    dense(kernel=KERNEL[:2]).write(tmp_path / "other")
    (tmp_path / "other.safetensors").write_bytes((tmp_path / "other.safetensors").read_bytes().replace(b'"port"', b'"part"'))
    with pytest.raises(RuntimeError, match=r"size mismatch for dense.weight: .*\[4, 2\].*\[4, 3\]"):
        imported(tmp_path / "port.py").build(tmp_path / "other.safetensors")


def test_building_draws_no_random_numbers(tmp_path: Path) -> None:
    dense().write(tmp_path / "port")
    before = torch.get_rng_state()
    imported(tmp_path / "port.py").build()
    assert torch.equal(torch.get_rng_state(), before)
