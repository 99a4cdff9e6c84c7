"""A sorted table of byte strings, as LevelDB and TensorFlow write it: its values are located, and its checksums are checked.

Source: https://github.com/google/leveldb/blob/main/doc/table_format.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from frameworks.files.untrusted.protobuf import Bytes
from frameworks.files.untrusted.source import Source, damaged, unsupported

END = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"
"""The last bytes of every table."""
MAX_BYTES = 16 << 20

_FOOTER, _TRAILER, _NUMBER = 48, 5, 4
_POLYNOMIAL = 0x82F63B78


def is_table(source: Source) -> bool:
    """Return whether a file ends as a table does."""
    return source.size >= _FOOTER and source.read(source.size - len(END), len(END)) == END


def values_of(source: Source) -> Iterator[tuple[bytes, int, int]]:
    """Yield each key of a table with the start and the end of its value in the file, in order.

    Raises:
        GatewiseError: for a damaged table, and for a compressed or a large one.
    """
    if not is_table(source):
        raise damaged(source.name, "does not end as an index does")
    if source.size > MAX_BYTES:
        raise unsupported(source.name, f"has {source.size} bytes, more than {MAX_BYTES >> 20} MiB")
    content = Bytes(source)
    footer = source.size - _FOOTER
    _, at = _handle(content, footer)  # of the table's statistics, which TensorFlow leaves empty
    (start, size), _ = _handle(content, at)
    for _, begin, _ in _entries(source, content, start, size):
        block, _ = _handle(content, begin)
        yield from _entries(source, content, *block)


def _handle(content: Bytes, at: int) -> tuple[tuple[int, int], int]:
    """Return the start and the size of a block, and the offset after these two numbers."""
    start, at = content.varint(at)
    size, at = content.varint(at)
    return (start, size), at


def _entries(source: Source, content: Bytes, start: int, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield each key of a block, with the start and the end of its value."""
    block = source.read(start, size + _TRAILER)
    if block[size]:
        raise unsupported(source.name, "is compressed")
    if _masked(_checksum(block[:-_NUMBER])) != int.from_bytes(block[-_NUMBER:], "little"):
        raise damaged(source.name, f"has a wrong checksum for the {size} bytes from byte {start} on")
    restarts = int.from_bytes(block[size - _NUMBER : size], "little")
    at, end, key = start, start + size - _NUMBER * (restarts + 1), b""
    while at < end:
        content.count()
        shared, at = content.varint(at)
        own, at = content.varint(at)
        length, at = content.varint(at)
        if shared > len(key) or at + own + length > end:
            raise damaged(source.name, f"has an entry at byte {at} that is longer than its block")
        key = key[:shared] + source.read(at, own)
        yield key, at + own, at + own + length
        at += own + length


def _table() -> Iterator[int]:
    for number in range(256):
        rest = number
        for _ in range(8):
            rest = rest >> 1 ^ (_POLYNOMIAL if rest & 1 else 0)
        yield rest


_REMAINDERS = tuple(_table())


def _checksum(content: bytes) -> int:
    """Return the CRC-32C of some bytes."""
    rest = 0xFFFF_FFFF
    for byte in content:
        rest = _REMAINDERS[(rest ^ byte) & 255] ^ rest >> 8
    return rest ^ 0xFFFF_FFFF


def _masked(checksum: int) -> int:
    """Return a checksum as tables store it."""
    return ((checksum >> 15 | checksum << 17) + 0xA282_EAD8) & 0xFFFF_FFFF
