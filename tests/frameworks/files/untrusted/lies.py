"""Mutations that know the formats: a file makes a false statement about itself and remains a file of its format.

`lie(content, dice)` finds out what the content is: an archive's members, a text of JSON in an h5 attribute or a description
in the metadata are lied about in their turn.
"""

from __future__ import annotations

import io
import random
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress

import numpy as np

from tests.frameworks.files.untrusted.lies_h5 import lie_of_h5
from tests.frameworks.files.untrusted.lies_json import NAMES, lie_of_header, lie_of_json
from tests.frameworks.files.untrusted.lies_streams import lie_of_message, lie_of_pickle


def lie(content: bytes, dice: random.Random) -> bytes:
    """Change a statement in a file of any known format; return any other file unchanged."""
    for magic, change in FORMATS.items():
        if content.startswith(magic):
            with suppress(Exception):  # an earlier change may have made it unreadable
                return change(content, dice)
            return content
    kinds = (lie_of_json, lie_of_header) if content[8:9] == b"{" else (lie_of_json, lie_of_message)
    for change in kinds:
        with suppress(Exception):
            return change(content, dice)
    return content


def lie_of_archive(content: bytes, dice: random.Random) -> bytes:
    """Change a zip archive: the content of a member, the names of members, or their entries in the directory."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    packing = dice.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
    kind = dice.randrange(12)
    telling = [place for place, (name, _) in enumerate(members) if not name.rpartition("/")[2].isdecimal()]
    place = dice.choice(telling) if kind < 8 and telling else dice.randrange(len(members))
    name, data = members[place]
    if kind < 7:
        members[place] = name, lie_of_described(data, dice) if name == "gatewise.npy" else lie(data, dice)
    elif kind == 7:
        members.append((name, lie(data, dice)))
    elif kind == 8:
        stem, slash, end = name.rpartition("/")
        near = (stem + slash + each + end[-4:] for each in NAMES[:12])
        members[place] = dice.choice((*NAMES[:12], *near)), data
    elif kind == 9:
        members[place] = name, dice.choice((b"", data[:3], bytes(1 << 21), data * 3))
    elif kind == 10:
        del members[place]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packing) as archive:
        for own, part in members:
            with suppress(Exception):
                _add(archive, own, part)
    return _lie_of_directory(bytearray(out.getvalue()), dice) if kind == 11 else out.getvalue()


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # for duplicate names
        archive.writestr(name, data)


def _lie_of_directory(content: bytearray, dice: random.Random) -> bytes:
    begins = [at for at in range(len(content) - 46) if content[at : at + 4] == b"PK\x01\x02"]
    at = dice.choice(begins)
    offset, width = dice.choice(((8, 2), (10, 2), (20, 4), (24, 4), (28, 2), (30, 2), (42, 4)))
    if dice.randrange(4) == 0:  # the end of the directory instead
        at, (offset, width) = content.rindex(b"PK\x05\x06"), dice.choice(((8, 2), (10, 2), (12, 4), (16, 4), (20, 2)))
    value = dice.choice((0, 1, 8, 12, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, dice.randrange(len(content))))
    content[at + offset : at + offset + width] = (value & ((1 << 8 * width) - 1)).to_bytes(width, "little")
    return bytes(content)


def lie_of_described(content: bytes, dice: random.Random) -> bytes:
    """Change the description that a .npz keeps as an array of bytes."""
    text = np.load(io.BytesIO(content)).tobytes()
    out = io.BytesIO()
    np.save(out, np.frombuffer(lie_of_json(text, dice), np.uint8))
    return out.getvalue()


def lie_of_npy(content: bytes, dice: random.Random) -> bytes:
    """Change the header of a .npy: its text, its size, its version."""
    size = int.from_bytes(content[8:12], "little") if content[6] > 1 else int.from_bytes(content[8:10], "little")
    begin = 12 if content[6] > 1 else 10
    header, data = content[begin : begin + size].decode("latin1"), content[begin + size :]
    array = np.load(io.BytesIO(content))
    shapes = ("(1<<40,)", "(-1,)", f"({1 << 62},)", "()", "(0,)", "(2,)*40", "3", "(True,)", "(1.5,)", "(" * 300, str(10**400))
    kinds = (
        "'|O'",
        "'<f8'",
        "'>f4'",
        "'<f2'",
        "'<U9'",
        "'|V8'",
        "'<M8[s]'",
        "[('a', '<f4')]",
        "'<c16'",
        "__import__('os')",
        "3",
    )
    kind = dice.randrange(5)
    if kind == 0:
        header = header.replace(str(array.shape), dice.choice(shapes))
    elif kind == 1:
        header = header.replace(repr(array.dtype.str), dice.choice(kinds))
    elif kind == 2:
        header = header.replace("False", dice.choice(("True", "1", "None", "[]")))
    elif kind == 3:
        out = io.BytesIO()
        np.save(out, np.array([{"a": 1}], object), allow_pickle=True)
        return out.getvalue()
    else:
        return content[:6] + dice.choice((b"\x01", b"\x02", b"\x03", b"\x09")) + content[7:8] + dice.randbytes(2) + content[10:]
    return b"\x93NUMPY\x02\x00" + len(header).to_bytes(4, "little") + header.encode("latin1", "replace") + data


FORMATS: dict[bytes, Callable[[bytes, random.Random], bytes]] = {
    b"PK\x03\x04": lie_of_archive,
    b"\x89HDF": lie_of_h5,
    b"\x93NUMPY": lie_of_npy,
    b"\x80": lie_of_pickle,
}
