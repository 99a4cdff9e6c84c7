"""Untrusted zip archives: members are found by name, never unpacked to a path, and sizes are checked before reading."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import cache

import numpy as np

from frameworks.files.untrusted.source import Source, StoredArray, damaged, scratch_source, unsupported

MAX_DIRECTORY = 16 << 20
_RATIO = 1040
_HONEST_RATIO = 64
_MODEST = 16 << 20
"""Members of more than `_MODEST` bytes must not shrink by more than `_HONEST_RATIO`: weights never do."""

_BLOCK = 1 << 20
_LOCAL = struct.Struct("<4s22xHH")


class Archive:
    """The members of a zip archive.

    Args:
        source: the archive.

    Raises:
        GatewiseError: for a damaged archive.
    """

    def __init__(self, source: Source) -> None:
        """Read the directory."""
        self._source = source
        _check_directory(source)
        try:
            with zipfile.ZipFile(_File(source)) as archive:
                self._members = {member.filename: member for member in archive.infolist()}
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error) as error:
            raise damaged(source.name, f"is not a whole zip archive: {error}") from error

    def __contains__(self, name: str) -> bool:
        """Return whether there is a member of this name."""
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the members."""
        return iter(self._members)

    def member(self, name: str) -> Source:
        """Return the bytes of a member: in place if it is not compressed, otherwise inflated to an unnamed temporary file."""
        member, packed = self._members[name], self._packed(name)
        if member.compress_type == zipfile.ZIP_STORED and member.compress_size == member.file_size:
            return packed
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise unsupported(self._source.name, f"packs {name} by a method other than deflate")
        if member.compress_type == zipfile.ZIP_STORED or member.file_size > _RATIO * (member.compress_size + 1024):
            raise damaged(self._source.name, f"claims a size for {name} that its {member.compress_size} bytes cannot hold")
        return scratch_source(packed.name, lambda out: _inflate(packed, member.file_size, out))

    def _packed(self, name: str) -> Source:
        """Return the bytes of a member as the archive stores them."""
        member = self._members[name]
        signature, name_size, extra_size = _LOCAL.unpack(self._source.read(member.header_offset, _LOCAL.size))
        if member.flag_bits & 1:
            raise unsupported(self._source.name, f"encrypts its member {name}")
        if signature != b"PK\x03\x04":
            raise damaged(self._source.name, f"lists a member {name} that is not where it should be")
        start = member.header_offset + _LOCAL.size + name_size + extra_size
        return self._source.part(start, member.compress_size, f"{name} in {self._source.name}")

    def bytes_of(self, name: str) -> StoredArray:
        """Return the bytes of a member as an array (byte,), which is inflated only when it is read."""
        member = self._members[name]
        if member.compress_type == zipfile.ZIP_STORED:
            source = self.member(name)
            return source.array((source.size,), np.uint8, 0)
        if member.file_size > _MODEST and member.file_size > _HONEST_RATIO * member.compress_size:
            raise unsupported(f"{name} in {self._source.name}", f"packs {member.file_size} bytes into {member.compress_size}")
        inflated = cache(lambda: self.member(name))
        return StoredArray((member.file_size,), np.dtype(np.uint8), lambda start, buffer: inflated().read_into(start, buffer))

    def head(self, name: str, most: int) -> bytes:
        """Read the first bytes of a member, without inflating the rest."""
        if self._members[name].compress_type == zipfile.ZIP_STORED:
            return self.member(name).head(most)
        packed = self._packed(name).head(most)
        try:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, most)
        except zlib.error as error:
            raise damaged(f"{name} in {self._source.name}", f"cannot be inflated: {error}") from error

    def read(self, name: str, most: int) -> bytes:
        """Read a whole member of at most `most` bytes."""
        source = self.member(name)
        if source.size > most:
            raise unsupported(source.name, f"has {source.size} bytes, more than {most >> 20} MiB")
        return source.read(0, source.size)


def _check_directory(source: Source) -> None:
    """Raise an error for a directory that is too large: the standard library reads all of it into memory."""
    tail = source.read(max(source.size - 65_557, 0), min(source.size, 65_557))
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        raise damaged(source.name, "is not a whole zip archive: its end is missing")
    count, size = struct.unpack_from("<HI", tail, at + 10)
    wide = tail.rfind(b"PK\x06\x06", 0, at)
    if wide >= 0 and len(tail) - wide >= 56:
        count, size = struct.unpack_from("<QQ", tail, wide + 32)
    if size > MAX_DIRECTORY and size != 0xFFFFFFFF:
        raise unsupported(source.name, f"has a directory of {size} bytes for {count} members")


def _inflate(packed: Source, size: int, out: int) -> None:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    done = 0
    try:
        with open(out, "wb", closefd=False) as file:
            for start in range(0, packed.size, _BLOCK):
                pending = packed.read(start, min(_BLOCK, packed.size - start))
                while pending and done <= size:
                    piece = inflater.decompress(pending, _BLOCK)
                    pending = inflater.unconsumed_tail
                    done += file.write(piece)
    except zlib.error as error:
        raise damaged(packed.name, f"cannot be inflated: {error}") from error
    if done != size:
        raise damaged(packed.name, f"does not inflate to the {size} bytes that it states")


class _File(io.RawIOBase):
    """A source as a file object, from which the standard library reads a directory."""

    def __init__(self, source: Source) -> None:
        self._source, self._at = source, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(offset + (0, self._at, self._source.size)[whence], 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        left = max(self._source.size - self._at, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        content = self._source.read(min(self._at, self._source.size), wanted)
        self._at += wanted
        return content
