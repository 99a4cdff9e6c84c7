"""Lies in pickles and in protobuf messages, which are read byte by byte."""

from __future__ import annotations

import pickle
import pickletools
import random
import struct
from contextlib import suppress
from itertools import pairwise
from typing import Any

from tests.frameworks.files.untrusted.lies_json import NAMES

HOSTILE: tuple[bytes, ...] = (
    *(b"cos\nsystem\n", b"X\x04\x00\x00\x00ls  \x85R", b"c__builtin__\neval\n", b"V\\ud800\n", b"I99999999999999999999999\n"),
    *(b"j\xff\xff\xff\x7f", b"r\xff\xff\xff\x7f", b"J\xff\xff\xff\xff", b"\x8a\x08" + b"\x7f" * 8, b"G\x7f\xf8" + bytes(6)),
    *(b"\x8b\xff\xff\xff\x7f", b"X\xff\xff\xff\x7f", b"\x8d" + b"\xff" * 8, b"\x95" + b"\xff" * 8, b"\x96" + b"\x7f" * 8),
    *(b"\x94" * 50, b"(" * 500, b"(]" * 500 + b"l", b"]q\x00" + b"h\x00h\x00\x86q\x00" * 40, b"X\x01\x00\x00\x00\xff"),
    *(bytes([code]) for code in b"}])(N0.12euts\x81\x85\x86\x88\x89RbQio\x93\x98"),
    *(b"h\x00", b"K\x01", b"P0\n", b"L1L\n"),
)


def lie_of_pickle(content: bytes, dice: random.Random) -> bytes:
    """Change opcodes and their arguments in one of the pickles at the start of a file; the rest stays."""
    starts = [0]
    for _ in range(3):
        codes: list[Any] = list(pickletools.genops(content[starts[-1] :]))
        behind = starts[-1] + codes[-1][2] + 1
        starts += [behind] if content[behind : behind + 1] == b"\x80" else []
    start = dice.choice(starts)
    before, content = content[:start], content[start:]
    codes = list(pickletools.genops(content))
    end = codes[-1][2] + 1
    parts = [content[begin:stop] for begin, stop in pairwise([place for _, _, place in codes] + [end])]
    for _ in range(dice.choice((1, 1, 2, 3))):
        at, other = dice.randrange(1, len(parts)), dice.randrange(1, len(parts))
        kind = dice.randrange(7)
        if kind == 0:
            del parts[at]
        elif kind == 1:
            parts.insert(at, dice.choice(HOSTILE))
        elif kind == 2:
            parts[at] = dice.choice(HOSTILE)
        elif kind == 3:
            parts[at], parts[other] = parts[other], parts[at]
        elif kind == 4:
            parts.insert(at, parts[other])
        else:
            parts[at] = _lie_of_operand(parts[at], codes, dice)
    return before + b"".join(parts) + content[end:]


def _lie_of_operand(part: bytes, codes: list[Any], dice: random.Random) -> bytes:
    if part[:1] in (b"K", b"M", b"J", b"I", b"\x8a"):
        number = dice.choice((0, 1, 2, 255, 1 << 20, (1 << 31) - 1, -1, 1 << 62, 1 << 70))
        return pickle.dumps(number, 2)[2:-1]
    if part[:1] == b"X":
        texts = [argument for code, argument, _ in codes if code.name == "BINUNICODE"]
        text: bytes = dice.choice((*NAMES, *texts)).encode("utf-8", "surrogatepass")
        return b"X" + struct.pack("<I", len(text)) + text
    if part[:1] == b"c":
        kinds = ("torch\nDoubleStorage", "torch\nHalfStorage", "torch\nBFloat16Storage", "torch.nn.modules.rnn\nGRU")
        others = ("collections\nOrderedDict", "os\nsystem", "torch._utils\n_rebuild_parameter", "torch\nSize", "a\nb" * 100)
        return b"c" + dice.choice((*kinds, *others)).encode() + b"\n"
    return part[:1] + dice.randbytes(len(part) - 1)


def lie_of_message(content: bytes, dice: random.Random) -> bytes:
    """Change a protobuf message, or a message nested in its fields."""
    fields = _fields(content)
    at = dice.randrange(len(fields))
    number, kind, value = fields[at]
    choice = dice.randrange(8)
    if kind == 2 and choice < 5:
        with suppress(ValueError, IndexError):
            inner = _fields(value)
            if inner:
                fields[at] = number, kind, lie_of_message(value, dice)
                return b"".join(_field(*each) for each in fields)
    if kind == 2:
        lies = (b"", value * 2, value[:-1], dice.choice(NAMES).encode("utf-8", "surrogatepass"), bytes(1 << 16))
        fields[at] = number, kind, dice.choice((*lies, _field(number, 2, value)))
    else:
        fields[at] = number, 0, dice.choice((0, 1, 2, 10, 11, 16, 1 << 31, 1 << 62, (1 << 64) - 1))
    if choice == 5:
        fields.insert(at, fields[dice.randrange(len(fields))])
    elif choice == 6:
        del fields[at]
    elif choice == 7 and kind == 2:
        nested = b""
        for _ in range(dice.choice((5, 70, 2000))):
            nested = _field(number, 2, nested)
        fields[at] = number, 2, nested
    message = b"".join(_field(*each) for each in fields)
    return message if dice.randrange(12) else message + _varint(number << 3 | 2) + _varint(1 << dice.choice((10, 31, 63)))


def _fields(content: bytes) -> list[tuple[int, int, Any]]:
    at = 0
    fields: list[tuple[int, int, Any]] = []
    while at < len(content):
        key, at = _read_varint(content, at)
        kind = key & 7
        value: Any
        if kind == 0:
            value, at = _read_varint(content, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value, at = content[at : at + size], at + size
        elif kind == 2:
            size, at = _read_varint(content, at)
            value, at = content[at : at + size], at + size
        else:
            raise ValueError(kind)
        if at > len(content) or key < 8:
            raise ValueError(key)
        fields.append((key >> 3, kind, value))
    return fields


def _field(number: int, kind: int, value: Any) -> bytes:
    head = _varint(number << 3 | kind)
    if kind == 0:
        return head + _varint(value)
    return b"".join([head, _varint(len(value)) if kind == 2 else b"", value])


def _read_varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return value, at


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
