"""Arrays of ONNX models, stored in the model or in a file beside it.

Source: onnx/onnx.proto, TensorProto, which defines the field numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from frameworks.errors import InvalidValueError
from frameworks.files.untrusted.derived_arrays import check_shape, derived, plain, widened
from frameworks.files.untrusted.protobuf import Message, as_message, as_number
from frameworks.files.untrusted.source import Array, Source, StoredArray, damaged, open_source

_DTYPES: Mapping[int, str] = dict(
    enumerate(("f4", "u1", "i1", "u2", "i2", "i4", "i8", "", "?", "f2", "f8", "u4", "u8", "c8", "c16", "u2"), start=1)
)
FLOATS: Mapping[int, str] = {1: "float32", 10: "float16", 11: "float64"}
WHOLE_NUMBERS: Mapping[int, str] = {6: "int32", 7: "int64"}
_TEXT, _BFLOAT16 = 8, 16
_PACKED: Mapping[int, int] = {4: 1, 10: 11}
"""By field number: the data type whose elements a packed field stores unchanged."""
_VARYING = (5, 7, 11)
"""The fields that store elements of several data types as numbers of variable length."""
_MOST_VARYING = 1 << 22
"""The most elements of such a field, all of which are decoded when the file is opened and at each read."""
_BLOCK = 1 << 16


class Neighbours:
    """The files beside a model that hold its larger arrays, each opened once.

    The names come from an untrusted model, so none may lead out of the folder. Links in the folder were made by its owner, for
    example by a cache that stores its content elsewhere, and are followed.

    Args:
        folder: the model's folder; None if there is none.
    """

    def __init__(self, folder: Path | None) -> None:
        """Open nothing yet."""
        self._folder = folder
        self._sources: dict[str, Source | str] = {}

    def find(self, location: str) -> Source | str:
        """Return a file, or the reason why it is not read."""
        if location not in self._sources:
            self._sources[location] = self._open(location)
        return self._sources[location]

    def _open(self, location: str) -> Source | str:
        where = PurePosixPath(location.replace("\\", "/"))
        if self._folder is None or not where.parts or where.is_absolute() or ".." in where.parts or ":" in location:
            return f"its elements are in {location[:200]!r}, which is not a file in the model's folder, and is not read"
        try:
            return open_source(self._folder / where)
        except (OSError, ValueError, InvalidValueError):
            return f"its elements are in another file, {location[:200]!r}, which is not there: put it beside the model"


def read_tensor(message: Message, neighbours: Neighbours) -> tuple[str, StoredArray | str]:
    """Return the name of an array, and the array or the reason why it is not read.

    Raises:
        GatewiseError: for a damaged array.
    """
    shape: list[int] = []
    name, kind, external = "", 0, False
    data: dict[int, list[int | Message]] = {}
    entries: list[Message] = []
    for number, value in message.fields():
        if number == 1:
            shape += value.numbers() if isinstance(value, Message) else [value]
        elif number == 2:
            kind = as_number(value)
        elif number == 8:
            name = as_message(value).text()
        elif number == 13:
            entries.append(as_message(value))
        elif number == 14:
            external = value == 1
        elif number in (4, *_VARYING, 6, 9, 10):
            data.setdefault(number, []).append(value)
    check_shape(message.bytes.source.name, tuple(shape))
    if kind not in _DTYPES or kind == _TEXT:
        return name, f"its data type {kind} is not read"
    if external or entries:
        return name, _elsewhere(_pairs(entries), tuple(shape), kind, neighbours)
    return name, _elements(message, tuple(shape), kind, data)


def _pairs(entries: list[Message]) -> dict[str, str]:
    pairs = {}
    for entry in entries:
        texts = {number: as_message(value).text() for number, value in entry.fields() if number in (1, 2)}
        pairs[texts.get(1, "")] = texts.get(2, "")
    return pairs


def _elsewhere(entries: Mapping[str, str], shape: tuple[int, ...], kind: int, neighbours: Neighbours) -> StoredArray | str:
    """Return an array whose elements are in another file, or the reason why it is not read."""
    source = neighbours.find(entries.get("location", ""))
    if isinstance(source, str):
        return source
    numbers = [entries.get("offset", "0"), entries.get("length", "0")]
    if not all(number.isdecimal() and len(number) < 20 for number in numbers):
        return f"its elements are in {source.name} at {' and '.join(numbers)[:100]}, which are not offset and length"
    offset, length = map(int, numbers)
    array = plain(source, shape, f"<{_DTYPES[kind]}", offset)
    if "length" in entries and length != array.nbytes:
        raise damaged(source.name, f"has {length} bytes for an array of shape {shape}")
    return widened(array, "bfloat16") if kind == _BFLOAT16 else array


def _elements(
    message: Message, shape: tuple[int, ...], kind: int, data: Mapping[int, list[int | Message]]
) -> StoredArray | str:
    source = message.bytes.source
    empty = math.prod(shape) == 0
    places = [(number, value) for number, values in data.items() for value in values if isinstance(value, Message)]
    if len(places) == 1 and places[0][0] in _VARYING and not empty:
        return _varying(places[0][1], shape, kind)
    if not empty and (len(places) != 1 or (places[0][0] != 9 and _PACKED.get(places[0][0]) != kind)):
        return "its elements are stored neither raw nor packed"
    place = places[0][1] if places else message
    array = plain(source, shape, f"<{_DTYPES[kind]}", place.start)
    if not empty and place.end - place.start != array.nbytes:
        raise damaged(source.name, f"has {place.end - place.start} bytes for an array of shape {shape}")
    return widened(array, "bfloat16") if kind == _BFLOAT16 else array


def _varying(place: Message, shape: tuple[int, ...], kind: int) -> StoredArray | str:
    """Return an array of numbers of variable length: whole numbers, or the bits of half precision."""
    dtype, source, count = np.dtype(_DTYPES[kind]), place.bytes.source, math.prod(shape)
    if dtype.kind not in "iub" and kind not in (10, _BFLOAT16):
        return "its elements are stored neither raw nor packed"
    if count > _MOST_VARYING:
        return f"its {count} elements are numbers of variable length, of which at most {_MOST_VARYING} are read"

    def elements() -> Array:
        made, done = np.empty(count, "u2" if kind == 10 else dtype), 0
        for numbers in _decoded(source, place.start, place.end):
            made[done : done + numbers.size] = numbers[: count - done]
            done += numbers.size
            if done > count:
                break
        if done != count:
            raise damaged(source.name, f"does not have the {count} numbers of an array of shape {shape}")
        return made.view(dtype)

    elements()
    array = derived(shape, dtype, lambda first, size: elements()[first : first + size])
    return widened(array, "bfloat16") if kind == _BFLOAT16 else array


def _decoded(source: Source, start: int, end: int) -> Iterator[npt.NDArray[np.uint64]]:
    """Decode numbers of variable length, a block of bytes at a time.

    Yields:
        (number,)

    Raises:
        GatewiseError: for malformed numbers.
    """
    while start < end:
        octets = np.frombuffer(source.read(start, min(_BLOCK, end - start)), np.uint8)
        ends = np.flatnonzero(octets < 128)
        starts = np.concatenate([[0], ends[:-1] + 1]).astype(np.intp)
        if not ends.size or (ends - starts).max() > 9:
            raise damaged(source.name, "has a number of more than ten bytes, or one without an end")
        numbers = np.zeros(ends.size, np.uint64)
        for place in range(int((ends - starts).max()) + 1):
            there = starts + place <= ends
            numbers[there] |= (octets[starts[there] + place] & np.uint8(127)).astype(np.uint64) << np.uint64(7 * place)
        yield numbers
        start += int(ends[-1]) + 1
