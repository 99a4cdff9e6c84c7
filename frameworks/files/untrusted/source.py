"""The bytes of an open file, read in place. No file is memory-mapped: memory is bounded, and a shrinking file is an error."""

from __future__ import annotations

import math
import os
import stat
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from frameworks.errors import InvalidValueError

Array = npt.NDArray[Any]

_LARGE = 1 << 20


class Source:
    """An open file, or a part of one.

    Args:
        name: what messages call the source.
        descriptor: the descriptor of the open file.
        start: the offset of the first byte of the part.
        size: the number of bytes.
        owner: the object that closes the descriptor when it is deleted; None for the source itself.

    Attributes:
        folder: the folder of the file; None for a part of a file.
    """

    folder: Path | None = None

    def __init__(self, name: str, descriptor: int, start: int, size: int, owner: object = None) -> None:
        """Refer to the bytes. Without an owner, the source closes the descriptor when it is deleted."""
        self.name, self.descriptor, self.start, self.size = name, descriptor, start, size
        self._owner = owner
        if owner is None:
            weakref.finalize(self, os.close, descriptor)

    def part(self, start: int, size: int, name: str = "") -> Source:
        """Return a part of the source.

        Raises:
            GatewiseError: for a part that extends beyond the source.
        """
        if start < 0 or size < 0 or start + size > self.size:
            raise damaged(self.name, f"lacks {max(start + size - self.size, 0)} of the bytes that it claims to have")
        return Source(name or self.name, self.descriptor, self.start + start, size, owner=self)

    def read(self, start: int, size: int) -> bytes:
        """Read exactly `size` bytes."""
        buffer = bytearray(self.part(start, size).size)
        self.read_into(start, memoryview(buffer))
        return bytes(buffer)

    def head(self, size: int) -> bytes:
        """Read the first bytes, or fewer if the source is shorter."""
        return self.read(0, min(size, self.size))

    def read_into(self, start: int, buffer: memoryview) -> None:
        """Fill a buffer of bytes from `start` on."""
        size, done = len(buffer), 0
        if start < 0 or start + size > self.size:
            self.part(start, size)  # raises an error with the number of missing bytes
        while done < size:
            count = _read_at(self.descriptor, buffer[done:] if done else buffer, self.start + start + done)
            if count == 0:
                raise damaged(self.name, "became shorter while it was read")
            done += count

    def array(self, shape: tuple[int, ...], dtype: npt.DTypeLike, start: int) -> StoredArray:
        """Return an array whose elements are stored row by row from `start` on."""
        stored = StoredArray(shape, np.dtype(dtype), self.read_into, start)
        self.part(start, stored.nbytes)
        return stored


def _read_by_seeking(descriptor: int, buffer: memoryview, offset: int) -> int:
    with _seeking:
        os.lseek(descriptor, offset, os.SEEK_SET)
        content = os.read(descriptor, len(buffer))
    buffer[: len(content)] = content
    return len(content)


_seeking = threading.Lock()
_read_at: Callable[[int, memoryview, int], int] = (
    (lambda descriptor, buffer, offset: os.preadv(descriptor, [buffer], offset))
    if hasattr(os, "preadv")  # which Windows lacks
    else _read_by_seeking
)


@dataclass(frozen=True, eq=False)
class StoredArray:
    """An array in a file. Its shape and dtype are known; its elements are read on demand.

    Args:
        shape: the array's shape.
        dtype: the array's dtype, with the byte order of the file.
        read_into: fills a buffer of bytes, starting at an offset.
        start: the offset of the first element.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read_into: Callable[[int, memoryview], None]
    start: int = 0

    @property
    def nbytes(self) -> int:
        """The size of all elements in bytes."""
        count = self.dtype.itemsize
        for size in self.shape:
            count *= size
        return count

    def read(self) -> Array:
        """Read the array into memory, in the machine's byte order."""
        array = empty(self.shape, self.dtype)
        if array.nbytes:
            self.read_into(self.start, array.reshape(-1).view(np.uint8).data)
        return array.astype(array.dtype.newbyteorder("="), copy=False)

    def block(self, rows: slice, columns: slice) -> Array:
        """Read some rows and columns of a matrix; both slices must state their ends. See `read`."""
        width, length = columns.stop - columns.start, self.shape[1]
        if width == length:
            return replace(self, shape=(rows.stop - rows.start, length), start=self.start + rows.start * self._pitch).read()
        array = empty((rows.stop - rows.start, width), self.dtype)
        first, pitch = self.start + rows.start * self._pitch + columns.start * self.dtype.itemsize, self._pitch
        lines, step = array.reshape(-1).view(np.uint8).data, width * self.dtype.itemsize
        for row in range(len(array)):
            self.read_into(first + row * pitch, lines[row * step : (row + 1) * step])
        return array.astype(array.dtype.newbyteorder("="), copy=False)

    @property
    def _pitch(self) -> int:
        """The distance in bytes from one row of a matrix to the next."""
        return self.shape[1] * self.dtype.itemsize


def in_memory(array: Array) -> StoredArray:
    """Wrap an in-memory array as a stored one."""
    content = array.reshape(-1).view(np.uint8).data

    def read_into(start: int, buffer: memoryview) -> None:
        buffer[:] = content[start : start + len(buffer)]

    return StoredArray(array.shape, array.dtype, read_into)


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """Return an array to be filled; within `recycling`, a large one reuses memory that was released."""
    kind = np.dtype(dtype)
    nbytes, pool = math.prod(shape) * kind.itemsize, _pools[-1] if _pools else None
    if pool is None or not _LARGE <= nbytes <= pool.size:
        return np.empty(shape, kind)
    memory = pool.spare.pop() if pool.spare else np.empty(pool.size, np.uint8)
    array: Array = np.ndarray(shape, kind, memory)
    weakref.finalize(array, pool.spare.append, memory)
    return array


@dataclass(frozen=True, eq=False)
class _Pool:
    size: int
    spare: list[Array]


_pools: list[_Pool] = []


@contextmanager
def recycling(size: int) -> Iterator[None]:
    """Reuse the memory of blocks of up to `size` bytes, because allocating each anew is slow and fragments memory."""
    pool = _Pool(size, [])
    _pools.append(pool)
    try:
        yield
    finally:
        _pools.remove(pool)


def open_source(path: Path) -> Source:
    """Open a file for reading.

    Raises:
        GatewiseError: for a path that is not a readable file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as error:
        raise InvalidValueError.because(
            str(path), must="be a readable file", but=f"cannot be opened: {error}", remedy="Check the path."
        ) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        folder = stat.S_ISDIR(status.st_mode)
        raise InvalidValueError.because(
            str(path),
            must="be a file",
            but="is a folder" if folder else "is a pipe or a device, which can only be read from start to end",
            remedy="Open the checkpoint in it." if folder else "Save its bytes to a file, and open that.",
        )
    source = Source(path.name, descriptor, 0, status.st_size)
    source.folder = path.parent
    return source


def scratch_source(name: str, fill: Callable[[int], None]) -> Source:
    """Return a source over an unnamed temporary file, which `fill` writes through its descriptor."""
    with tempfile.TemporaryFile() as file:
        fill(file.fileno())
        descriptor = os.dup(file.fileno())
    return Source(name, descriptor, 0, os.fstat(descriptor).st_size)


def damaged(name: str, how: str) -> InvalidValueError:
    """Return the error for a file whose bytes are missing or contradict each other."""
    return InvalidValueError.because(name, must="be whole", but=how, remedy="Fetch or copy the file again.")


def unsupported(name: str, how: str) -> InvalidValueError:
    """Return the error for a file that may be whole, but has an unknown form or exceeds a limit."""
    return InvalidValueError.because(
        name,
        must="have a form and size that gatewise reads",
        but=how,
        remedy="If you trust it, load it with the program that wrote it, and save only the weights.",
    )
