"""Untrusted pickles: nothing in them is imported or called, and any fault quickly ends in one clear error.

Covers: `frameworks/files/untrusted/unpickling.py`, `frameworks/files/torch`.
"""

from __future__ import annotations

import io
import os
import pickle
import struct
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from frameworks.files import open_checkpoint

STORAGE = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x10tQ"


def tensor(shape: bytes, strides: bytes, offset: bytes = b"K\x00", storage: bytes = STORAGE) -> bytes:
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + offset + shape + strides + b"\x89}tR"


def state(*tensors: bytes) -> bytes:
    """Pickle a state_dict of tensors named a, b, ..., by hand."""
    items = b"".join(b"X\x01\x00\x00\x00" + bytes([97 + place]) + each for place, each in enumerate(tensors))
    return b"\x80\x02}(" + items + b"u."


def written(path: Path, pickled: bytes, storage: bytes = bytes(64)) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/data/0", storage)
    return path


def read(path: Path) -> None:
    for other in open_checkpoint(path).others.values():
        _ = other.arrays


class Evil:
    """An object whose pickle runs a command."""

    def __init__(self, call: Any, *args: Any) -> None:
        self.made = call, args

    def __reduce__(self) -> Any:
        return self.made


@pytest.mark.parametrize("old", [False, True])
def test_nothing_is_called_or_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, old: bool) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trap.py").write_text("open('imported', 'w')")
    monkeypatch.syspath_prepend(str(tmp_path))
    evil = {"a": Evil(os.system, "touch called"), "b": Evil(eval, "open('called', 'w')"), **nn.GRU(2, 3).state_dict()}
    torch.save(evil, "evil.pt", pickle_protocol=4, _use_new_zipfile_serialization=not old)
    assert list(open_checkpoint("evil.pt")) == [""]
    assert set(open_checkpoint("evil.pt").others) == {"a", "b"}
    written(Path("trap.pt"), state(b"ctrap\nTrap\n)R", tensor(b"K\x04\x85", b"K\x01\x85")))
    with pytest.raises(ValueError, match="recurrent"):
        open_checkpoint("trap.pt")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["evil.pt", "trap.pt", "trap.py"]
    pickle.loads(pickle.dumps(Evil(os.system, "touch called")))  # noqa: S301  the control: it does run
    assert Path("called").exists()


BIG = b"\x8b" + struct.pack("<I", 3000) + b"\x7f" * 3000
WIDE = b"\x8a\x08" + struct.pack("<Q", 1 << 46)


@pytest.mark.parametrize(
    "pickled",
    [
        b"",
        b"\x80\x02.",
        b"\x80\x02}",
        b"\x80\x02t.",
        b"\x80\x02K\x01b.",
        b"\x80\x02}h\x05.",
        b"\x80\x02X\xff\xff\xff\x7f.",
        b"\x80\x02i\n",
        b"\x80\x02\x82\x01.",
        b"\x80\x02K\x01Q.",
        b"\x80\x02]" + b"(" * 100_000 + b".",
        b"\x80\x02" + b"]" * 100 + b"a" * 99 + b".",
        b"\x80\x02]q\x00" + b"h\x00h\x00\x86q\x00" * 80 + b".",
        b"\x80\x02" + b"}" * 2_100_000 + b".",
        b"\x80\x02c" + b"x" * 100_000,
        state(tensor(BIG + b"\x85", b"K\x01\x85")),
        state(tensor(b"K\x04\x85", BIG + b"\x85")),
        state(tensor(b"K\x00" + WIDE + WIDE + b"\x87", b"K\x01K\x01K\x01\x87")),
        state(tensor(b"(" + b"K\x01" * 100 + b"t", b"(" + b"K\x01" * 100 + b"t")),
        state(tensor(b"K\x11\x85", b"K\x01\x85")),
        state(tensor(b"K\x04\x85", b"K\x05\x85")),
        state(tensor(b"K\x04\x85", b"K\x01\x85", offset=b"K\x0d")),
        state(tensor(b"K\x04\x85", b"J\xff\xff\xff\xff\x85")),
        state(tensor(b"K\x20\x85", b"K\x00\x85")),
        state(tensor(b"K\x04\x85", b"K\x01\x85", storage=b"cos\nsystem\n)R")),
        state(tensor(b"K\x04\x85", b"K\x01\x85", storage=STORAGE.replace(b"K\x10", b"K\x11"))),
        state(tensor(b"K\x04\x85", b"K\x01\x85", storage=STORAGE.replace(b"K\x10", b"J\xf0\xff\xff\xff"))),
        state(tensor(b"K\x04\x85", b"K\x01\x85", storage=STORAGE.replace(b"Float", b"Other"))),
        state(tensor(b"K\x04\x85", b"K\x01\x85", storage=STORAGE.replace(b"\x01\x00\x00\x000", b"\x09\x00\x00\x00../../etc"))),
    ],
)
def test_an_inconsistent_pickle_is_refused_quickly(tmp_path: Path, pickled: bytes, refused: Any) -> None:
    began = time.process_time()
    with refused("odd.pt"):
        read(written(tmp_path / "odd.pt", pickled))
    assert time.process_time() - began < 5


def test_the_control_is_read(tmp_path: Path, refused: Any) -> None:
    """The undamaged pickle is read, and the only complaint is that it has no recurrent layer."""
    with refused("layers of unknown kind"):
        read(written(tmp_path / "odd.pt", state(tensor(b"K\x04\x85", b"K\x01\x85"))))


def test_keys_that_take_forever_to_hash_are_not_hashed(tmp_path: Path) -> None:
    knot: Any = 1
    for _ in range(60):
        knot = (knot, knot)
    content = io.BytesIO()
    machine = pickle.Pickler(content, 2)
    machine.dump(knot)
    key = content.getvalue()[2:-1]
    gru = {
        "weight_ih_l0": tensor(b"K\x03K\x02\x86", b"K\x02K\x01\x86"),
        "weight_hh_l0": tensor(b"K\x03K\x01\x86", b"K\x01K\x01\x86"),
    }
    items = b"".join(b"X" + struct.pack("<I", len(name)) + name.encode() + value for name, value in gru.items())
    path = written(tmp_path / "knot.pt", b"\x80\x02}(" + key + b"K\x01" + items + b"u.")
    assert list(open_checkpoint(path)) == [""]


@pytest.mark.parametrize("old", [False, True])
def test_every_truncation_is_refused(tmp_path: Path, refused: Any, *, old: bool) -> None:
    torch.save(nn.GRU(3, 2).state_dict(), tmp_path / "gru.pt", _use_new_zipfile_serialization=not old)
    content = (tmp_path / "gru.pt").read_bytes()
    for size in (0, 1, 8, 30, 200, len(content) // 2, len(content) - 1):
        (tmp_path / "gru.pt").write_bytes(content[:size])
        with refused("gru.pt"):
            _ = open_checkpoint(tmp_path / "gru.pt")[""].weights


def test_storages_of_the_old_format_with_a_false_size_are_refused(tmp_path: Path, refused: Any) -> None:
    gru: Any = nn.GRU(3, 2)
    torch.save(gru.state_dict(), tmp_path / "gru.pt", _use_new_zipfile_serialization=False)
    content = (tmp_path / "gru.pt").read_bytes()
    at = content.index(gru.weight_ih_l0.detach().numpy().tobytes()) - 8
    for count in (-1, 17, 1 << 40, (1 << 63) - 1):
        (tmp_path / "lie.pt").write_bytes(content[:at] + struct.pack("<q", count) + content[at + 8 :])
        with refused("lie.pt"):
            open_checkpoint(tmp_path / "lie.pt")


def test_a_zip_bomb_is_not_inflated(tmp_path: Path, refused: Any) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", state(tensor(b"K\x04\x85", b"K\x01\x85")))
        archive.writestr("a/data/0", bytes(64 << 20))
    with refused("bomb.pt", "packs"):
        open_checkpoint(tmp_path / "bomb.pt")


def test_a_pickle_that_is_not_torch_s_is_identified_in_the_error(tmp_path: Path, refused: Any) -> None:
    (tmp_path / "odd.pt").write_bytes(pickle.dumps({"a": np.ones(3)}))
    with refused("odd.pt", "a pickle", "torch did not write"):
        open_checkpoint(tmp_path / "odd.pt")
