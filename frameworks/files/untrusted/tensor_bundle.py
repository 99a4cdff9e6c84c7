"""The arrays of a TensorFlow checkpoint, located by its index and read in place.

Source: tensorflow/core/protobuf/tensor_bundle.proto, tensorflow/core/util/tensor_bundle/tensor_bundle.cc.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from frameworks.files.untrusted.derived_arrays import plain, widened
from frameworks.files.untrusted.protobuf import Bytes, Message, as_message, as_number, signed
from frameworks.files.untrusted.sorted_table import values_of
from frameworks.files.untrusted.source import Source, StoredArray, damaged, unsupported

MAX_SHARDS = 500
_STRING, _BFLOAT16 = 7, 14
_DTYPES = {
    1: "f4", 2: "f8", 3: "i4", 4: "u1", 5: "i2", 6: "i1", 8: "c8", 9: "i8", 10: "?", 17: "u2", 18: "c16", 19: "f2", 22: "u4",
    23: "u8",
}  # fmt: skip
"""The dtypes of TensorFlow, by their numbers in `DataType`."""
_CHECKSUM = 4


@dataclass(frozen=True, eq=False)
class Bundle:
    """What a checkpoint holds.

    Args:
        arrays: the arrays by name, in the order of their names.
        texts: the single texts by name.
        unread: the reason why an entry was not read, by name.
    """

    arrays: Mapping[str, StoredArray]
    texts: Mapping[str, Source]
    unread: Mapping[str, str]


@dataclass(frozen=True)
class _Entry:
    """What the index states of one array."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    start: int
    size: int
    sliced: bool


def read_bundle(index: Source, beside: Callable[[str], Source]) -> Bundle:
    """Read the index of a checkpoint.

    Args:
        index: the .index file.
        beside: opens a file of the checkpoint by the ending that follows its prefix.

    Raises:
        GatewiseError: for a damaged index, and for arrays that its files lack.
    """
    content, entries, shards, order = Bytes(index), {}, 1, "<"
    for key, begin, end in values_of(index):
        message = Message(content, begin, end)
        if not key:
            shards, order = _header(message)
            continue
        try:
            entries[key.decode()] = _entry(message)
        except UnicodeDecodeError:
            continue  # a slice of an array, whose own entry is marked
    if not 0 < shards <= MAX_SHARDS:
        raise unsupported(index.name, f"states {shards} files of arrays, where 1 to {MAX_SHARDS} are read")
    files: dict[int, Source] = {}
    for name, entry in entries.items():
        if entry.shard not in files:
            if not 0 <= entry.shard < shards:
                raise damaged(index.name, f"states that {name} is in file {entry.shard} of {shards}")
            files[entry.shard] = beside(f".data-{entry.shard:05}-of-{shards:05}")
    return _bundle(entries, files, order)


def _bundle(entries: Mapping[str, _Entry], files: Mapping[int, Source], order: str) -> Bundle:
    arrays, texts, unread = {}, {}, {}
    for name, entry in entries.items():
        file = files[entry.shard]
        if entry.sliced:
            unread[name] = "an array that is split into parts"
        elif entry.dtype == _STRING and not entry.shape:
            texts[name] = _text(file, entry)
        elif entry.dtype == _BFLOAT16:
            arrays[name] = widened(_array(file, name, entry, f"{order}u2"), "bfloat16")
        elif entry.dtype in _DTYPES:
            arrays[name] = _array(file, name, entry, f"{order}{_DTYPES[entry.dtype]}")
        else:
            unread[name] = "an array of text" if entry.dtype == _STRING else f"an array of TensorFlow's dtype {entry.dtype}"
    return Bundle(arrays, texts, unread)


def _array(file: Source, name: str, entry: _Entry, dtype: str) -> StoredArray:
    array = plain(file, entry.shape, np.dtype(dtype), entry.start)
    if array.nbytes != entry.size:
        raise damaged(file.name, f"holds {entry.size} bytes for {name}, whose shape {entry.shape} takes {array.nbytes}")
    return array


def _text(file: Source, entry: _Entry) -> Source:
    """Return the bytes of a single text, which its length and the checksum of that precede."""
    part = file.part(entry.start, entry.size)
    length, at = Bytes(part).varint(0)
    return part.part(at + _CHECKSUM, length)


def _header(message: Message) -> tuple[int, str]:
    """Return the number of files of arrays, and their byte order."""
    numbers = {number: value for number, value in message.fields() if isinstance(value, int)}
    return numbers.get(1, 0), ">" if numbers.get(2) else "<"


def _entry(message: Message) -> _Entry:
    shape: tuple[int, ...] = ()
    numbers, sliced = dict.fromkeys((1, 3, 4, 5), 0), False
    for number, value in message.fields():
        if number == 2:
            shape = _shape(as_message(value))
        elif number == 7:
            sliced = True
        elif number in numbers:
            numbers[number] = signed(as_number(value))
    dtype, shard, start, size = numbers.values()
    return _Entry(dtype, shape, shard, start, size, sliced)


def _shape(message: Message) -> tuple[int, ...]:
    sizes = []
    for axis in message.all(2):
        stated = [signed(as_number(value)) for value in as_message(axis).all(1)]
        sizes.append(stated[-1] if stated else 0)
    return tuple(sizes)
