"""An error advises fetching a file again only if its bytes are missing or contradict each other.

Covers: `frameworks/files/untrusted/source.py`, `frameworks/files`.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frameworks.errors import GatewiseError
from frameworks.files import open_checkpoint
from frameworks.files.given_options import GivenOptions
from frameworks.files.untrusted import unpickling
from frameworks.files.untrusted.archive import Archive
from frameworks.files.untrusted.derived_arrays import check_shape, strided
from frameworks.files.untrusted.json_text import read_json
from frameworks.files.untrusted.source import in_memory, open_source
from frameworks.files.writing.sidecar import VERSION, read_described

FETCH = "Fetch or copy the file again."
ELSEWHERE = "If you trust it, load it with the program that wrote it, and save only the weights."

Reading = Callable[[Path], Any]


def packed(folder: Path, method: int = zipfile.ZIP_STORED, name: str = "a", content: bytes = b"0" * 4096) -> Path:
    with zipfile.ZipFile(folder / "a.pt2", "w", method) as archive:
        archive.writestr(name, content)
    return folder / "a.pt2"


def member(path: Path) -> None:
    Archive(open_source(path)).member("a")


def encrypted(folder: Path) -> None:
    content = bytearray(packed(folder).read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    (folder / "a.pt2").write_bytes(content)
    member(folder / "a.pt2")


def truncated(folder: Path) -> None:
    path = packed(folder)
    path.write_bytes(path.read_bytes()[:-30])
    member(path)


def exported(folder: Path) -> None:
    content = json.dumps({"config": {"a": {"form": "new"}}}).encode()
    open_checkpoint(packed(folder, name="data/weights/model_weights_config.json", content=content))


def sharded(folder: Path) -> None:
    (folder / "a.index.json").write_text(json.dumps({"weight_map": {"weight": "../a.safetensors"}}))
    open_checkpoint(folder / "a.index.json")


def large_architecture(folder: Path) -> None:
    path = folder / "a.json"
    with path.open("wb") as file:
        file.truncate((32 << 20) + 1)
    (folder / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    open_checkpoint(folder / "a.h5", architecture=path)


def another_file_as_architecture(folder: Path) -> None:
    path = folder / "a.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n")
    open_checkpoint(path, architecture=path)


CASES: dict[str, tuple[Reading, str, str]] = {
    "repeated elements": (
        lambda _: strided(in_memory(np.ones(3, np.float32)), 0, (2, 2), (1, 1), "a"),
        "a must not repeat elements, but expands 3 to 4",
        "Call .clone() before saving.",
    ),
    "missing elements": (lambda _: strided(in_memory(np.ones(3, np.float32)), 0, (2, 2), (2, 1), "a"), "beyond the 3", FETCH),
    "many axes": (lambda _: check_shape("a", (1,) * 33), "has an array of 33 axes, more than 32", ELSEWHERE),
    "a negative size": (lambda _: check_shape("a", (2, -1)), "negative size in its shape (2, -1)", FETCH),
    "a huge size": (lambda _: check_shape("a", (1 << 30, 1 << 30)), "which no file can hold", FETCH),
    "another compression": (
        lambda folder: member(packed(folder, zipfile.ZIP_BZIP2)),
        "packs a by a method other than deflate",
        ELSEWHERE,
    ),
    "encryption": (encrypted, "encrypts its member a", ELSEWHERE),
    "a missing end": (truncated, "its end is missing", FETCH),
    "an unknown description": (exported, "model_weights_config.json in an unknown way: KeyError", ELSEWHERE),
    "a file elsewhere": (sharded, "lists 1: ../a.safetensors", "Put the files beside it, and list them without a folder."),
    "another version": (
        lambda _: read_described('{"version": 99}', {}, "a.npz", GivenOptions()),
        f"the description in a.npz must have version {VERSION}, but has version 99",
        "Read the file with the version of gatewise that wrote it.",
    ),
    "an unknown opcode": (lambda _: unpickling.load(b"N\xff.", "a", {}, lambda _: None), r"b'\xff' at byte 1", ELSEWHERE),
    "an end within a pickle": (lambda _: unpickling.load(b"NK", "a", {}, lambda _: None), "ends within its pickle", FETCH),
    "endless nesting": (lambda _: read_json("[" * 200_000, "a"), "is nested too deep", ELSEWHERE),
    "broken JSON": (lambda _: read_json('{"a"', "a"), "is not JSON", FETCH),
    "a large architecture": (large_architecture, "more than 32 MiB", "Pass the text that Keras's model.to_json() returns."),
    "another file as architecture": (
        another_file_as_architecture,
        "must be the JSON of an architecture, but begins with b'\\x89HDF",
        "Pass the text that Keras's model.to_json() returns.",
    ),
    "a storage of an unknown kind": (
        lambda folder: open_checkpoint(unknown_storage(folder)),
        "a storage of the unknown kind Novel",
        ELSEWHERE,
    ),
}


def unknown_storage(folder: Path) -> Path:
    pickle = b"\x80\x02(X\x07\x00\x00\x00storagectorch\nNovelStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQ."
    return packed(folder, name="a/data.pkl", content=pickle)


@pytest.mark.parametrize("case", CASES)
def test_the_remedy_fits_the_fault(case: str, tmp_path: Path, refused: Any) -> None:
    read, said, remedy = CASES[case]
    with refused(said, remedy):
        read(tmp_path)


def test_a_pickle_that_is_too_long_is_not_called_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpickling, "MAX_OPCODES", 3)
    with pytest.raises(GatewiseError, match="a pickle of more than 3 steps") as caught:
        unpickling.load(b"NNNNN.", "a", {}, lambda _: None)
    assert ELSEWHERE in str(caught.value)
