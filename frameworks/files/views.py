"""Arrays that do not lie in a file as they are meant: strided, of half precision, computed; read when asked for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from frameworks.files.source import Array, Source, StoredArray, damaged

MAX_RANK = 32
_LARGEST = 1 << 48


@dataclass(frozen=True, eq=False)
class WidenedArray(StoredArray):
    """An array of half precision, given in float32, which holds its values exactly.

    Args:
        was: what it is in the file: "float16", "bfloat16".
    """

    was: str = ""


def check_shape(name: str, shape: tuple[int, ...]) -> None:
    """Refuse a shape that no array can have, or one that NumPy cannot.

    Raises:
        GatewiseError: for negative or absurd sizes.
    """
    if len(shape) > MAX_RANK or any(size < 0 for size in shape) or math.prod(max(size, 1) for size in shape) > _LARGEST:
        raise damaged(name, f"has an array of shape {str(shape[:8])[:100]}")


def plain(source: Source, shape: tuple[int, ...], dtype: npt.DTypeLike, start: int) -> StoredArray:
    """Give an array whose elements lie row by row, of a shape that is still to be trusted.

    Raises:
        GatewiseError: for one that does not lie within the source.
    """
    check_shape(source.name, shape)
    return source.array(shape, dtype, start)


def strided(storage: StoredArray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], name: str) -> StoredArray:
    """Give an array of some elements of a storage: in place where they lie row by row.

    Args:
        storage: (element,)
        offset: the first element.
        shape: of the array.
        strides: how many elements apart the neighbours along each axis are.
        name: what messages call it.

    Raises:
        GatewiseError: for elements that the storage does not have, or more of them than it has.
    """
    check_shape(name, shape)
    count, reach = math.prod(shape), sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if not count:
        return replace(storage, shape=shape)
    if offset < 0 or any(stride < 0 for stride in strides) or offset + reach >= storage.shape[0]:
        raise damaged(name, f"takes elements from a storage of {storage.shape[0]} that are not there")
    if count > storage.shape[0]:
        raise damaged(
            name, f"repeats the elements of a storage of {storage.shape[0]} to {count}, so that .clone() must make it"
        )
    width = storage.dtype.itemsize
    place = storage.start + offset * width
    if strides == _contiguous(shape) or count == 1:
        return replace(storage, shape=shape, start=place)
    span = replace(storage, shape=(reach + 1,), start=place)

    def fetch(first: int, size: int) -> Array:
        elements = np.empty(span.shape, span.dtype)
        span.read_into(span.start, elements.view(np.uint8).data)
        view = np.lib.stride_tricks.as_strided(elements, shape, [stride * width for stride in strides], writeable=False)
        found: Array = view.flat[first : first + size]
        return found

    return derived(shape, storage.dtype, fetch)


def _contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def widened(array: StoredArray, kind: str) -> StoredArray:
    """Give an array of half precision in float32.

    Args:
        array: of float16, or of the bits of bfloat16 as uint16.
        kind: "float16" or "bfloat16".
    """
    width = array.dtype.itemsize

    def fetch(first: int, size: int) -> Array:
        halves = replace(array, shape=(size,), start=array.start + first * width).read()
        return halves.astype(np.float32) if kind == "float16" else (halves.astype(np.uint32) << 16).view(np.float32)

    found = derived(array.shape, np.float32, fetch)
    return WidenedArray(found.shape, found.dtype, found.read_into, was=kind)


def derived(shape: tuple[int, ...], dtype: npt.DTypeLike, fetch: Callable[[int, int], Array]) -> StoredArray:
    """Give an array whose elements `fetch(first, count)` gives, row by row."""
    kind = np.dtype(dtype)

    def read_into(start: int, buffer: memoryview) -> None:
        first, skipped = divmod(start, kind.itemsize)
        count = -(-(skipped + len(buffer)) // kind.itemsize)
        found = np.ascontiguousarray(fetch(first, count), kind).view(np.uint8)
        buffer[:] = found.data[skipped : skipped + len(buffer)]

    return StoredArray(shape, kind, read_into)


def first_axis(array: StoredArray, start: int, stop: int) -> StoredArray:
    """Give rows of an array."""
    row = math.prod(array.shape[1:]) * array.dtype.itemsize
    return replace(array, shape=(stop - start, *array.shape[1:]), start=array.start + start * row)


def reshaped(array: StoredArray, shape: tuple[int, ...]) -> StoredArray:
    """Give the same elements in another shape of as many."""
    return replace(array, shape=shape)
