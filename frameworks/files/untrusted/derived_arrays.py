"""Arrays that are converted when they are read: strided ones, half precision, and computed ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from frameworks.errors import InvalidValueError
from frameworks.files.untrusted.source import Array, Source, StoredArray, damaged, empty, unsupported

MAX_RANK = 32
_LARGEST = 1 << 48


@dataclass(frozen=True, eq=False)
class WidenedArray(StoredArray):
    """An array of half precision, read as float32, which holds its values exactly.

    Args:
        was: its dtype in the file: "float16" or "bfloat16".
    """

    was: str = ""


def check_shape(name: str, shape: tuple[int, ...]) -> None:
    """Check that NumPy can make an array of a shape.

    Raises:
        GatewiseError: for more than `MAX_RANK` axes, a negative size, or more than `_LARGEST` elements.
    """
    if len(shape) > MAX_RANK:
        raise unsupported(name, f"has an array of {len(shape)} axes, more than {MAX_RANK}")
    if any(size < 0 for size in shape):
        raise damaged(name, f"has an array with a negative size in its shape {str(shape)[:100]}")
    if math.prod(max(size, 1) for size in shape) > _LARGEST:
        raise damaged(name, f"has an array of shape {str(shape)[:100]}, which no file can hold")


def plain(source: Source, shape: tuple[int, ...], dtype: npt.DTypeLike, start: int) -> StoredArray:
    """Return an array whose elements are stored row by row, after checking its shape.

    Raises:
        GatewiseError: for an array that extends beyond the source.
    """
    check_shape(source.name, shape)
    return source.array(shape, dtype, start)


def strided(storage: StoredArray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], name: str) -> StoredArray:
    """Return an array of some elements of a storage, in place if they are stored row by row.

    Args:
        storage: (element,)
        offset: the first element.
        shape: the array's shape.
        strides: the distance between neighbours along each axis, in elements.
        name: what messages call the array.

    Raises:
        GatewiseError: for elements that the storage does not have, or for more elements than it has.
    """
    check_shape(name, shape)
    count, reach = math.prod(shape), sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if not count:
        return replace(storage, shape=shape)
    if offset < 0 or any(stride < 0 for stride in strides) or offset + reach >= storage.shape[0]:
        raise damaged(name, f"refers to elements beyond the {storage.shape[0]} of its storage")
    if count > storage.shape[0]:
        raise InvalidValueError.because(
            name,
            must="not repeat elements",
            but=f"expands {storage.shape[0]} to {count}",
            remedy="Call .clone() before saving.",
        )
    place = storage.start + offset * storage.dtype.itemsize
    if strides == _contiguous(shape) or count == 1:
        return replace(storage, shape=shape, start=place)
    elements = _Elements(storage, place)

    def fetch(first: int, size: int) -> Array:
        row = math.prod(shape[1:])
        start, stop = first // row, -(-(first + size) // row)
        made = np.empty((stop - start, *shape[1:]), storage.dtype)
        elements.gather(start * strides[0], made, strides)
        elements_of_rows: Array = made.reshape(-1)
        return elements_of_rows[first - start * row :][:size]

    array = derived(shape, storage.dtype, fetch)
    if len(shape) != 2:
        return array
    return _StridedMatrix(shape, array.dtype, array.read_into, 0, elements, strides, shape[1])


@dataclass(frozen=True, eq=False)
class _Elements:
    """The elements of a storage, starting at an offset."""

    storage: StoredArray
    place: int

    def gather(self, first: int, made: Array, strides: tuple[int, ...]) -> None:
        """Fill an array with elements that are `strides` apart, in as few reads as possible.

        Args:
            first: the index of the element `made[0, ..., 0]`.
            made: the array to fill, of any shape.
            strides: the distance between neighbours along each axis of `made`, in elements.
        """
        width, kind = self.storage.dtype.itemsize, self.storage.dtype
        span = 1 + sum((size - 1) * stride for size, stride in zip(made.shape, strides, strict=True))
        if span <= _MOST_READ * made.size:
            elements = np.empty(span, kind)
            self.storage.read_into(self.place + first * width, elements.view(np.uint8).data)
            steps = [stride * width for stride in strides]
            made[...] = np.lib.stride_tricks.as_strided(elements, made.shape, steps, writeable=False)
            return
        outer = max(range(made.ndim), key=lambda axis: strides[axis] * (made.shape[axis] > 1))
        for index in range(made.shape[outer]):
            within: tuple[Any, ...] = (*(slice(None),) * outer, index, ...)
            self.gather(first + index * strides[outer], made[within], strides[:outer] + strides[outer + 1 :])


_MOST_READ = 2
"""A single read may span up to this many times the elements wanted, to avoid many small reads."""


@dataclass(frozen=True, eq=False)
class _StridedMatrix(StoredArray):
    """A matrix whose rows are not stored one after another."""

    elements: _Elements | None = None
    strides: tuple[int, ...] = ()
    width: int = 0

    def block(self, rows: slice, columns: slice) -> Array:
        """Read some rows and columns."""
        if self.elements is None or self.start or self.shape[1:] != (self.width,):  # a part of the matrix, or a reshaped one
            return super().block(rows, columns)
        made = empty((rows.stop - rows.start, columns.stop - columns.start), self.dtype)
        self.elements.gather(rows.start * self.strides[0] + columns.start * self.strides[1], made, self.strides)
        return made.astype(made.dtype.newbyteorder("="), copy=False)


def _contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def widened(array: StoredArray, kind: str) -> StoredArray:
    """Return an array of half precision in float32.

    Args:
        array: float16 values, or the bits of bfloat16 values as uint16.
        kind: "float16" or "bfloat16".
    """
    width = array.dtype.itemsize

    def fetch(first: int, size: int) -> Array:
        halves = replace(array, shape=(size,), start=array.start + first * width).read()
        return halves.astype(np.float32) if kind == "float16" else (halves.astype(np.uint32) << 16).view(np.float32)

    single = derived(array.shape, np.float32, fetch)
    return WidenedArray(single.shape, single.dtype, single.read_into, was=kind)


def in_single(array: StoredArray) -> StoredArray:
    """Return a float16 array in float32, and any other array unchanged."""
    return widened(array, "float16") if array.dtype.name == "float16" else array


def halves_of(arrays: Iterable[StoredArray]) -> list[str]:
    """Return the half-precision dtypes that arrays have in the file."""
    return sorted({"float16", "bfloat16"} & {getattr(array, "was", "") or array.dtype.name for array in arrays})


def derived(shape: tuple[int, ...], dtype: npt.DTypeLike, fetch: Callable[[int, int], Array]) -> StoredArray:
    """Return an array whose elements, row by row, come from `fetch(first, count)`."""
    kind = np.dtype(dtype)

    def read_into(start: int, buffer: memoryview) -> None:
        first, skipped = divmod(start, kind.itemsize)
        count = -(-(skipped + len(buffer)) // kind.itemsize)
        content = np.ascontiguousarray(fetch(first, count), kind).view(np.uint8)
        buffer[:] = content.data[skipped : skipped + len(buffer)]

    return StoredArray(shape, kind, read_into)


def first_axis(array: StoredArray, start: int, stop: int) -> StoredArray:
    """Return the rows of an array from `start` to `stop`."""
    row = math.prod(array.shape[1:]) * array.dtype.itemsize
    return replace(array, shape=(stop - start, *array.shape[1:]), start=array.start + start * row)


def reshaped(array: StoredArray, shape: tuple[int, ...]) -> StoredArray:
    """Return the same elements in another shape of the same size."""
    return replace(array, shape=shape)
