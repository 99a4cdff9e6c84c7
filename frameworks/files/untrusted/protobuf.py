"""The wire format of protocol buffers: the fields of a message are located, and copied only on demand.

Source: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from frameworks.files.untrusted.source import Source, damaged, unsupported

MAX_DEPTH = 32
MAX_FIELDS = 1_000_000
MAX_TEXT = 1 << 20
_WINDOW = 1 << 16


class Bytes:
    """The bytes of a source, read one window at a time, with a limit on the number of fields.

    Args:
        source: the bytes.
    """

    def __init__(self, source: Source) -> None:
        """Start with an empty window."""
        self.source = source
        self._start, self._window = 0, b""
        self._fields = 0

    def byte(self, at: int) -> int:
        """Return one byte."""
        if not self._start <= at < self._start + len(self._window):
            self._start, self._window = at, self.source.read(at, min(_WINDOW, max(self.source.size - at, 1)))
        return self._window[at - self._start]

    def varint(self, at: int) -> tuple[int, int]:
        """Return a number of variable length, and the offset of its end."""
        value = shift = 0
        while shift < 70:
            byte = self.byte(at)
            value |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if byte < 128:
                return value & 0xFFFF_FFFF_FFFF_FFFF, at
        raise damaged(self.source.name, "has a number of more than ten bytes")

    def count(self) -> None:
        """Count a field."""
        self._fields += 1
        if self._fields > MAX_FIELDS:
            raise unsupported(self.source.name, f"has more than {MAX_FIELDS} fields")


@dataclass(frozen=True)
class Message:
    """A message, which is a part of the bytes.

    Args:
        bytes: the bytes of the whole file.
        start: the offset of the first byte.
        end: the offset after the last byte.
        depth: the number of messages around it.
    """

    bytes: Bytes
    start: int
    end: int
    depth: int = 0

    def fields(self) -> Iterator[tuple[int, int | Message]]:
        """Yield the number and value of each field: an int if its length is fixed or variable, otherwise its location.

        Raises:
            GatewiseError: for a malformed message.
        """
        at = self.start
        while at < self.end:
            self.bytes.count()
            tag, at = self.bytes.varint(at)
            value, at = self._value(tag & 7, at)
            if at > self.end:
                raise damaged(self.bytes.source.name, f"has a field at byte {at} that is longer than its message")
            yield tag >> 3, value

    def all(self, number: int) -> Iterator[int | Message]:
        """Yield the values of the fields with one number."""
        return (value for own, value in self.fields() if own == number)

    def text(self) -> str:
        """Read the message as text.

        Raises:
            GatewiseError: for bytes that are not text.
        """
        size = self.end - self.start
        if size > MAX_TEXT:
            raise unsupported(self.bytes.source.name, f"has a name of {size} bytes, more than {MAX_TEXT}")
        try:
            return self.bytes.source.read(self.start, size).decode()
        except UnicodeDecodeError as error:
            raise damaged(self.bytes.source.name, f"has a name that is not text: {error}") from error

    def part(self) -> Source:
        """Return the message as a part of the bytes, for a text of any length."""
        return self.bytes.source.part(self.start, self.end - self.start)

    def numbers(self) -> Iterator[int]:
        """Read the message as packed numbers of variable length."""
        at = self.start
        while at < self.end:
            self.bytes.count()
            value, at = self.bytes.varint(at)
            yield value

    def floats(self) -> list[float]:
        """Read the message as packed floats."""
        size = self.end - self.start
        if size % 4 or size > MAX_TEXT:
            raise damaged(self.bytes.source.name, f"has {size} bytes where a few floats are expected")
        return list(struct.unpack(f"<{size // 4}f", self.bytes.source.read(self.start, size)))

    def _value(self, kind: int, at: int) -> tuple[int | Message, int]:
        if kind == 0:
            return self.bytes.varint(at)
        if kind in (1, 5):
            size = 8 if kind == 1 else 4
            return int.from_bytes(self.bytes.source.read(at, size), "little"), at + size
        if kind != 2:
            raise damaged(self.bytes.source.name, f"has a field of the unknown kind {kind} at byte {at}")
        size, at = self.bytes.varint(at)
        if self.depth >= MAX_DEPTH:
            raise unsupported(self.bytes.source.name, f"nests messages more than {MAX_DEPTH} deep")
        return Message(self.bytes, at, at + size, self.depth + 1), at + size


def message_of(source: Source) -> Message:
    """Return a whole source as a message."""
    return Message(Bytes(source), 0, source.size)


def signed(value: int) -> int:
    """Return the signed value of a number of variable length: negative ones are stored as 64 bits."""
    return value - (1 << 64) if value >= 1 << 63 else value


def as_float(bits: int) -> float:
    """Return the float with the given 32 bits."""
    value: float = struct.unpack("<f", (bits & 0xFFFF_FFFF).to_bytes(4, "little"))[0]
    return value


def as_message(value: int | Message) -> Message:
    """Return the value of a field that must be a message.

    Raises:
        GatewiseError: for a number.
    """
    if isinstance(value, Message):
        return value
    raise damaged("the model", f"has the number {value} where a message is expected")


def as_number(value: int | Message) -> int:
    """Return the value of a field that must be a number.

    Raises:
        GatewiseError: for a message.
    """
    if isinstance(value, Message):
        raise damaged(value.bytes.source.name, "has a message where a number is expected")
    return value
