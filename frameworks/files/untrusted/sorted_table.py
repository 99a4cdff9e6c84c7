"""A sorted table of byte strings, as LevelDB and TensorFlow write it: its values are located, and its checksums are checked.

Source: https://github.com/google/leveldb/blob/main/doc/table_format.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from frameworks.files.untrusted.source import Source, damaged, unsupported

END = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"
"""The last bytes of every table."""
MAX_BYTES = 16 << 20

_FOOTER, _TRAILER, _NUMBER, _MAX_KEY = 48, 5, 4, 1 << 16
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
    footer = source.read(source.size - _FOOTER, _FOOTER)
    _, _, at = _handle(source, footer, 0)  # of the table's statistics, which TensorFlow leaves empty
    start, size, _ = _handle(source, footer, at)
    read = size
    index = _block(source, start, size)
    for _, begin, _ in _entries(source, index):
        start, size, _ = _handle(source, index, begin)
        read += size
        if read > source.size:
            raise damaged(source.name, "lists blocks that overlap")
        yield from ((key, start + at, start + end) for key, at, end in _entries(source, _block(source, start, size)))


def _block(source: Source, start: int, size: int) -> bytes:
    """Return the entries of a block, without the list of those at which a reader may start."""
    block = source.read(start, size + _TRAILER)
    if block[size]:
        raise unsupported(source.name, "is compressed")
    if _masked(_checksum(block[:-_NUMBER])) != int.from_bytes(block[-_NUMBER:], "little"):
        raise damaged(source.name, f"has a wrong checksum for the {size} bytes from byte {start} on")
    end = size - _NUMBER * (int.from_bytes(block[size - _NUMBER : size], "little") + 1)
    if size < _NUMBER or end < 0:
        raise damaged(source.name, f"has no list at the end of the {size} bytes from byte {start} on")
    return block[:end]


def _entries(source: Source, block: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield each key of a block, with the start and the end of its value in the block."""
    at, key = 0, b""
    while at < len(block):
        shared, at = _number(source, block, at)
        own, at = _number(source, block, at)
        length, at = _number(source, block, at)
        start, end = at + own, at + own + length
        if shared > len(key) or end > len(block) or shared + own > _MAX_KEY:
            raise damaged(source.name, "has an entry that is longer than its block")
        key = key[:shared] + block[at:start]
        yield key, start, end
        at = end


def _handle(source: Source, content: bytes, at: int) -> tuple[int, int, int]:
    """Return the start and the size of a block, and the offset after these two numbers."""
    start, at = _number(source, content, at)
    size, at = _number(source, content, at)
    return start, size, at


def _number(source: Source, content: bytes, at: int) -> tuple[int, int]:
    """Return a number of variable length, and the offset of its end."""
    value = 0
    for place, byte in enumerate(content[at : at + 10]):
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value, at + place + 1
    raise damaged(source.name, "has a number without an end")


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
