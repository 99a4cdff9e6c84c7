"""safetensors and npz: arrays are read in place, by the rules of the format, and malformed files are refused.

Covers: `frameworks/files/torch/safetensors.py`, `frameworks/files/torch/npz.py`.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frameworks.files import open_checkpoint

SHAPES = {"rnn.weight_ih_l0": (12, 3), "rnn.weight_hh_l0": (12, 4), "rnn.bias_ih_l0": (12,), "rnn.bias_hh_l0": (12,)}


@pytest.fixture
def arrays() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape).astype("float32") for name, shape in SHAPES.items()}


def safetensors(path: Path, header: dict[str, Any], data: bytes) -> Path:
    """Write a file according to the description of the format."""
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def described(arrays: dict[str, Any], dtype: str = "F32") -> tuple[dict[str, Any], bytes]:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, array in arrays.items():
        start, data = len(data), data + array.tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [start, len(data)]}
    return header, data


def assert_read(path: Path, arrays: dict[str, Any]) -> None:
    checkpoint = open_checkpoint(path)
    assert list(checkpoint) == ["rnn"]
    assert checkpoint["rnn"].class_name == "GRU"
    for name, array in checkpoint["rnn"].cells[0][0].arrays.items():
        np.testing.assert_array_equal(array.read(), arrays[f"rnn.{name}_l0"], err_msg=name)


def test_the_arrays_of_a_safetensors_file_are_read_in_place(arrays: Any, tmp_path: Path) -> None:
    assert_read(safetensors(tmp_path / "a.safetensors", *described(arrays)), arrays)


def test_bfloat16_is_returned_in_float32(arrays: Any, tmp_path: Path) -> None:
    halves = {name: (array.view(np.uint32) >> 16).astype("<u2") for name, array in arrays.items()}
    cut = {name: (half.astype(np.uint32) << 16).view(np.float32) for name, half in halves.items()}
    path = safetensors(tmp_path / "a.safetensors", *described(halves, "BF16"))
    assert_read(path, cut)
    assert "bfloat16" in open_checkpoint(path)["rnn"].warnings[0]


def overlap(header: dict[str, Any]) -> None:
    header["rnn.bias_hh_l0"]["data_offsets"] = header["rnn.bias_ih_l0"]["data_offsets"]


def gap(header: dict[str, Any]) -> None:
    del header["rnn.bias_ih_l0"]


def beyond(header: dict[str, Any]) -> None:
    header["rnn.bias_hh_l0"]["data_offsets"][1] += 4
    header["rnn.bias_hh_l0"]["shape"] = [13]


def larger(header: dict[str, Any]) -> None:
    header["rnn.bias_hh_l0"]["shape"] = [2, 12]


def negative(header: dict[str, Any]) -> None:
    header["rnn.bias_hh_l0"]["shape"] = [-12]


def huge(header: dict[str, Any]) -> None:
    header["rnn.bias_hh_l0"]["shape"] = [0, 1 << 47, 1 << 47]


def odd(header: dict[str, Any]) -> None:
    header["rnn.bias_hh_l0"] = [1]


@pytest.mark.parametrize("change", [overlap, gap, beyond, larger, negative, huge, odd])
def test_a_header_that_does_not_fit_the_data_is_refused(arrays: Any, tmp_path: Path, change: Any, refused: Any) -> None:
    header, data = described(arrays)
    change(header)
    with refused("a.safetensors"):
        open_checkpoint(safetensors(tmp_path / "a.safetensors", header, data))


def test_a_truncated_too_large_or_too_deep_header_is_refused(arrays: Any, tmp_path: Path, refused: Any) -> None:
    path = safetensors(tmp_path / "a.safetensors", *described(arrays))
    content = path.read_bytes()
    for damaged in (
        content[:40],
        content[:-1],
        struct.pack("<Q", 1 << 60) + content[8:],
        struct.pack("<Q", 20_000) + b'{"a":' * 4000 + b"}",
        struct.pack("<Q", 1 << 26) + content[8:] + bytes(1 << 26),
    ):
        path.write_bytes(damaged)
        with refused("a.safetensors"):
            open_checkpoint(path)


def test_a_dtype_that_numpy_lacks_is_listed_and_not_read(arrays: Any, tmp_path: Path) -> None:
    header, data = described(arrays)
    header["scale"] = {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [len(data), len(data) + 4]}
    checkpoint = open_checkpoint(safetensors(tmp_path / "a.safetensors", header, data + b"abcd"))
    assert "F8_E4M3" in checkpoint.others["scale"].warnings[0]


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_npz_archive_is_read_with_any_compression_and_order(arrays: Any, tmp_path: Path, write: Any, order: Any) -> None:
    write(tmp_path / "a.npz", **{name: np.asarray(array, order=order).astype(">f4") for name, array in arrays.items()})
    assert_read(tmp_path / "a.npz", arrays)


def test_arrays_with_other_names_are_recognised_by_their_shapes_with_a_warning(arrays: Any, tmp_path: Path) -> None:
    own = {name.replace("rnn.weight", "enc_w").replace("rnn.bias", "enc_b")[:-3]: array for name, array in arrays.items()}
    np.savez(tmp_path / "a.npz", **own, enc_emb=np.ones((5, 3)), enc_extra_w_hh=np.ones((5, 3)))
    checkpoint = open_checkpoint(tmp_path / "a.npz")
    np.testing.assert_array_equal(checkpoint["enc"].cells[0][0].arrays["weight_hh"].read(), arrays["rnn.weight_hh_l0"])
    assert "not torch's" in checkpoint["enc"].warnings[0]
    assert set(checkpoint.others) == {"", "enc_extra"}
    assert set(checkpoint.others["enc_extra"].stored) == {"enc_extra_w_hh"}


class Evil:
    """An object whose pickle runs a command."""

    def __reduce__(self) -> Any:
        import os

        return os.system, ("touch executed",)


def test_arrays_of_objects_and_text_are_listed_and_not_unpickled(
    arrays: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", **arrays, evil=np.array([Evil()], dtype=object), by=np.array("someone"))
    assert_read(Path("a.npz"), arrays)
    others = open_checkpoint("a.npz").others
    assert {name: "not unpickled" in other.warnings[0] for name, other in others.items()} == {"evil": True, "by": True}
    assert not Path("executed").exists()


@pytest.mark.parametrize(
    "header", ["{'descr': '<f4', 'fortran_order': False, 'shape': (99,)}", "{'descr': '<f4'", "[" * 3000, "{'descr': 'V8'}", ""]
)
def test_an_array_with_a_false_header_is_refused(tmp_path: Path, header: str, refused: Any) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(64))
    with refused("a.npz"):
        open_checkpoint(tmp_path / "a.npz")


def test_a_zip_bomb_is_not_inflated(tmp_path: Path, refused: Any) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros(8 << 20, "float32"))
    assert (tmp_path / "a.npz").stat().st_size < 1 << 16
    with refused("x.npy", "packs"):
        open_checkpoint(tmp_path / "a.npz")
