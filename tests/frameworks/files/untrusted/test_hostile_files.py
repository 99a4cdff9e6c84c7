"""Untrusted files: any fault ends in one clear error in bounded time, and no link is followed.

Covers: `frameworks/files`.
"""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from frameworks.files import open_checkpoint
from frameworks.files.untrusted import h5_process
from frameworks.files.untrusted.json_text import read_json

Editing = Any


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return rewrite(tmp_path / "weights.h5", lambda group: None)


def rewrite(path: Path, change: Editing, **storage: Any) -> Path:
    """Write the weights of an LSTM, then let `change` edit their group."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"lstm"]
        group = file.create_group("lstm")
        group.attrs["weight_names"] = [b"kernel:0", b"recurrent_kernel:0", b"bias:0"]
        for name, shape in (("kernel:0", (3, 16)), ("recurrent_kernel:0", (4, 16)), ("bias:0", (16,))):
            group.create_dataset(name, data=rng.normal(size=shape).astype("float32"), **storage)
        change(group)
    return path


def test_chunked_and_compressed_arrays_are_the_same(weights: Path, tmp_path: Path) -> None:
    packed = rewrite(tmp_path / "packed.h5", lambda group: None, chunks=True, compression="gzip", shuffle=True)
    one, other = (open_checkpoint(path)["lstm"].weights for path in (weights, packed))
    for (_, _, a), (_, _, b) in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.kernel, b.kernel)
        np.testing.assert_array_equal(a.bias, b.bias)


def test_a_file_after_a_user_block_is_read_in_place(weights: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "block.h5", "w", userblock_size=512) as file, h5py.File(weights) as source:
        file.attrs["layer_names"] = [b"lstm"]
        source.copy("lstm", file)
    one, other = (open_checkpoint(path)["lstm"].weights.layers[0][0] for path in (weights, tmp_path / "block.h5"))
    np.testing.assert_array_equal(one.kernel, other.kernel)


def external_link(group: Any) -> None:
    del group["bias:0"]
    group["bias:0"] = h5py.ExternalLink("/etc/hostname", "/bias")


def soft_link(group: Any) -> None:
    del group["bias:0"]
    group["bias:0"] = h5py.SoftLink("/lstm/kernel:0")


def external_storage(group: Any) -> None:
    del group["bias:0"]
    group.create_dataset("bias:0", shape=(16,), dtype="float32", external=[("/etc/hostname", 0, 64)])


def virtual(group: Any) -> None:
    layout = h5py.VirtualLayout(shape=(16,), dtype="float32")
    layout[:] = h5py.VirtualSource("/etc/hostname", "bias", shape=(16,))
    del group["bias:0"]
    group.create_virtual_dataset("bias:0", layout)


@pytest.mark.parametrize("change", [external_link, soft_link, external_storage, virtual])
def test_no_link_and_no_other_file_is_followed(tmp_path: Path, change: Editing, refused: Any) -> None:
    path = rewrite(tmp_path / "linked.h5", change)
    with refused("bias:0", "not followed", "If you trust it"):
        open_checkpoint(path)


def test_a_circle_of_groups_does_not_hang(tmp_path: Path) -> None:
    def circle(group: Any) -> None:
        group["again"] = group.parent

    assert list(open_checkpoint(rewrite(tmp_path / "circle.h5", circle))) == ["lstm"]


def huge(group: Any) -> None:
    del group["kernel:0"]
    group.create_dataset("kernel:0", shape=(1 << 40, 16), dtype="float32", chunks=(1024, 16), compression="gzip")


def deep(group: Any) -> None:
    for _ in range(100):
        group = group.create_group("g")


@pytest.mark.parametrize(("change", "said"), [(huge, "hold an array of"), (deep, "64 deep")])
def test_false_sizes_and_endless_nesting_are_refused(tmp_path: Path, change: Editing, said: str, refused: Any) -> None:
    path = rewrite(tmp_path / "lie.h5", change)
    with refused(said):
        _ = open_checkpoint(path)["lstm"].weights


def test_a_file_that_keeps_the_library_busy_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Any) -> None:
    path = rewrite(tmp_path / "busy.h5", lambda group: group.attrs.__setitem__("name", "x" * 100))
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL") + 16
    content[heap : heap + 4080] = bytes(4080)
    path.write_bytes(content)
    monkeypatch.setattr(h5_process, "SECONDS", 2)
    with refused("busy.h5"):
        open_checkpoint(path)


def test_every_truncation_is_refused_or_read_correctly(weights: Path, tmp_path: Path, refused: Any) -> None:
    content = weights.read_bytes()
    for size in (0, 1, 8, 100, 600, len(content) // 2, len(content) - 1):
        path = tmp_path / "cut.h5"
        path.write_bytes(content[:size])
        with refused("cut.h5"):
            _ = open_checkpoint(path)["lstm"].weights


@pytest.fixture
def keras_file(tmp_path: Path) -> Path:
    """A .keras file of one LSTM."""
    path = tmp_path / "variables.h5"
    with h5py.File(path, "w") as file:
        for number, shape in enumerate(((3, 16), (4, 16), (16,))):
            file[f"layers/lstm/cell/vars/{number}"] = np.random.default_rng(number).normal(size=shape).astype("float32")
    layer = {"class_name": "LSTM", "config": {"name": "shared", "units": 4}}
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.5.0"}')
        archive.writestr("config.json", json.dumps({"class_name": "Sequential", "config": {"layers": [layer]}}))
        archive.write(path, "model.weights.h5")
    return tmp_path / "model.keras"


def repack(source: Path, target: Path, change: Editing, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return target


def test_a_compressed_archive_is_read_the_same(keras_file: Path, tmp_path: Path) -> None:
    packed = repack(keras_file, tmp_path / "packed.keras", lambda _, content: content, zipfile.ZIP_DEFLATED)
    one, other = (open_checkpoint(path)["shared"].weights.layers[0][0] for path in (keras_file, packed))
    np.testing.assert_array_equal(one.recurrent_kernel, other.recurrent_kernel)


@pytest.mark.parametrize("name", ["config.json", "metadata.json", "model.weights.h5"])
def test_an_archive_that_lacks_a_part_is_refused(keras_file: Path, tmp_path: Path, name: str, refused: Any) -> None:
    path = repack(keras_file, tmp_path / "part.keras", lambda own, content: None if own == name else content)
    with refused("part.keras"):
        open_checkpoint(path)


@pytest.mark.parametrize("text", ["{", "[]", '{"class_name": "Sequential", "config": {"layers": {}}}', '{"a":' * 5000, "\xff"])
def test_an_invalid_architecture_is_refused(keras_file: Path, tmp_path: Path, text: str, refused: Any) -> None:
    path = repack(
        keras_file, tmp_path / "odd.keras", lambda own, content: text.encode("latin1") if own == "config.json" else content
    )
    with refused("odd.keras"):
        open_checkpoint(path)


def test_endlessly_nested_models_are_refused(refused: Any) -> None:
    from frameworks.files.keras.config import walk

    model: dict[str, Any] = {"class_name": "Sequential", "config": {"name": "m", "layers": []}}
    for _ in range(40):
        model = {"class_name": "Sequential", "config": {"name": "m", "layers": [model]}}
    with refused("32 deep"):
        walk(model, "file", lambda *_: "", keras2=False)


def test_false_sizes_in_a_zip_are_refused(keras_file: Path, tmp_path: Path, refused: Any) -> None:
    packed = repack(keras_file, tmp_path / "packed.keras", lambda _, content: content, zipfile.ZIP_DEFLATED)
    content = bytearray(packed.read_bytes())
    place = content.rindex(b"PK\x01\x02", 0, content.rindex(b"model.weights.h5"))
    for size, said in ((7, "does not inflate to the 7 bytes"), (1 << 31, "claims a size for")):
        struct.pack_into("<I", content, place + 24, size)
        packed.write_bytes(content)
        with refused(said):
            open_checkpoint(packed)


def test_a_file_that_is_not_a_checkpoint_is_refused_by_name(tmp_path: Path, refused: Any) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"x")
    (tmp_path / "text.h5").write_text("hello world")
    (tmp_path / "arch.json").write_text('{"class_name": "Sequential"}')
    (tmp_path / "empty.keras").write_bytes(b"")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = np.zeros(3)
    cases = {
        "saved": "SavedModel",
        "text.h5": "68 65",
        "arch.json": "JSON",
        "empty.keras": "empty",
        "no.h5": "opened",
        "other.h5": "another kind",
    }
    for name, said in cases.items():
        with refused(name, said):
            open_checkpoint(tmp_path / name)
    with refused(tmp_path.name, "folder"):
        open_checkpoint(tmp_path)


STRANGERS = {
    "model.h5.gz": (b"\x1f\x8b\x08\x08aaaaaaaa", "gzip"),
    "lfs.h5": (b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12345\n", "git lfs pull"),
    "page.h5": (b"<!DOCTYPE html><html>404</html>", "HTML"),
    "model.tflite": (b"\x1c\x00\x00\x00TFL3aaaa", "Lite"),
    "model.ckpt.index": (b"\x00\x01\x02", "TensorFlow checkpoint"),
    "model.ckpt.data-00000-of-00001": (b"\x01\x02", "TensorFlow checkpoint"),
    "other.bin": (b"\x01\x02", "01 02"),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_a_file_often_mistaken_for_a_checkpoint_is_identified_in_the_error(name: str, tmp_path: Path, refused: Any) -> None:
    content, said = STRANGERS[name]
    (tmp_path / name).write_bytes(content)
    with refused(name, said):
        open_checkpoint(tmp_path / name)


def test_json_is_bounded_in_size(monkeypatch: pytest.MonkeyPatch, refused: Any) -> None:
    monkeypatch.setattr("frameworks.files.untrusted.json_text.MAX_BYTES", 10)
    with refused("config", "11 bytes"):
        read_json(b'{"a": "bc"}', "config")
