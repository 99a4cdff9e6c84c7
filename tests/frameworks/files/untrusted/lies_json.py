"""Lies in JSON: in an architecture, a description, the header of a .safetensors file."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from typing import Any

NAMES = (
    "",
    "/",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "C:\\x",
    "a.b/c",
    "a\nb",
    "\x1b[2J\x1b]0;owned\x07",
    "\u202eabc",
    "\ud800",
    "\x00",
    "lstm",
    "cell",
    "__class__",
    "gatewise",
    "emulated",
    "weight_ih_l0",
    "weight_hh_l9999_reverse",
    "é" * 300,
    "x" * 100_000,
    "{0.__class__}",
    "%s%n",
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 2, 3, -1, 7, 1 << 31, 1 << 48, (1 << 63) - 1, 1 << 64, 10**400, -(10**30), 1e308, 0.5, -0.0),
    *(float("nan"), float("inf"), [], {}, [[]], [None], {"": None}, [1 << 62] * 4, [0, 0], [3, -1], "float64", "float16"),
    *("lstm", "gru", "rnn", "tanh", "relu", "keras2_hard_sigmoid", "LSTM", "GRU", "SimpleRNN", "Bidirectional", "RNN"),
    *("Lambda", "Functional", "Sequential", "concat", "mul", "keras", "pytorch", "cells", "model", "cell", "nn.Sequential"),
    {"class_name": "Lambda", "config": {"function": ["4wAAAAAAAAAA", None, None]}},
    {"class_name": "__lambda__", "config": {"value": "os.system"}},
    {"module": "os", "class_name": "system", "config": {"command": "touch owned"}, "registered_name": "system"},
    {"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}},
)


def lie_of_tree(tree: Any, dice: random.Random) -> Any:
    """Change one to three nodes of what JSON holds."""
    for _ in range(dice.choice((1, 1, 2, 3))):
        places: list[tuple[Any, Any]] = []
        _collect(tree, places)
        if not places:
            return dice.choice(VALUES)
        owner, key = dice.choice(places)
        other, its = dice.choice(places)
        kind = dice.randrange(9)
        if kind < 3:
            owner[key] = dice.choice(VALUES)
        elif kind == 3:
            owner[key] = dice.choice(NAMES)
        elif kind == 4:
            del owner[key]
        elif kind == 5:
            owner[key] = _nested(dice)
        elif kind == 6 and isinstance(owner, dict):
            owner[dice.choice(NAMES)] = owner.pop(key)
        elif kind == 7 and isinstance(owner, list):
            owner.extend(json.loads(json.dumps([owner[key]])) * dice.choice((1, 3, 40)))
        else:
            owner[key] = json.loads(json.dumps(other[its]))
    return tree


def _collect(tree: Any, places: list[tuple[Any, Any]]) -> None:
    if not isinstance(tree, (dict, list)):
        return
    for key, value in list(tree.items()) if isinstance(tree, dict) else list(enumerate(tree)):
        places.append((tree, key))
        _collect(value, places)


def _nested(dice: random.Random) -> Any:
    value: Any = 1
    wrap: Callable[[Any], Any] = dice.choice(
        (
            lambda inner: [inner],
            lambda inner: {"layer": inner},
            lambda inner: {"class_name": "Bidirectional", "config": {"layer": inner}},
            lambda inner: {"class_name": "TimeDistributed", "config": {"name": "t", "layer": inner}},
            lambda inner: {"class_name": "Sequential", "config": {"name": "s", "layers": [inner]}},
        )
    )
    for _ in range(dice.choice((3, 40, 150))):
        value = wrap(value)
    return value


def lie_of_json(content: bytes, dice: random.Random) -> bytes:
    """Change a JSON text."""
    if dice.randrange(40) == 0:
        return dice.choice(
            (b'{"a":' * 100_000, b"[" * 100_000, b'{"version": ' + b"9" * 5000 + b"}", b'{"a":1,"a":2}', b"null")
        )
    tree = lie_of_tree(json.loads(content), dice)
    return json.dumps(tree).encode()


def lie_of_header(content: bytes, dice: random.Random) -> bytes:
    """Change the header of a .safetensors file: its size, its entries, or the description in its metadata."""
    size = int.from_bytes(content[:8], "little")
    header, data = json.loads(content[8 : 8 + size]), content[8 + size :]
    if dice.randrange(10) == 0:
        return struct.pack("<Q", dice.choice((0, 1, size - 1, size + 1, 1 << 25, 1 << 40, (1 << 64) - 1))) + content[8:]
    described = header.get("__metadata__", {}).get("gatewise")
    if described and dice.randrange(2):
        header["__metadata__"]["gatewise"] = lie_of_json(described.encode(), dice).decode()
    else:
        _shift(header, dice)
        header = lie_of_tree(header, dice) if dice.randrange(2) else header
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def _shift(header: dict[str, Any], dice: random.Random) -> None:
    """Make arrays overlap, leave gaps, end before they begin, or change places."""
    entries = [entry for name, entry in header.items() if name != "__metadata__"]
    one, other = dice.choice(entries), dice.choice(entries)
    kind = dice.randrange(4)
    if kind == 0:
        one["data_offsets"] = other["data_offsets"]
    elif kind == 1:
        one["data_offsets"] = one["data_offsets"][::-1]
    elif kind == 2:
        one["shape"], other["shape"] = other["shape"], one["shape"]
    else:
        one["dtype"] = dice.choice(("F64", "BF16", "F16", "I8", "BOOL", "F8_E4M3", "X", "C64"))
