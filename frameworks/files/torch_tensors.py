"""Tensors of a torch file: which there are in what it pickles, by name, and where their elements lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from frameworks.errors import GatewiseError
from frameworks.files.source import Source, StoredArray, damaged
from frameworks.files.torch_pickle import Named, Tensor, run_pickle

MAX_BYTES, MAX_DEPTH, MAX_OBJECTS = 4 << 20, 64, 1_000_000

DTYPES = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": "u2",  # its bits: NumPy has no such type
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
"""NumPy's type of each class of storage."""


class Limited:
    """A file object over a source that hands out so many bytes and no more."""

    def __init__(self, source: Source, start: int = 0, most: int = MAX_BYTES) -> None:
        """Stand at `start`."""
        self.source, self.at, self.end = source, start, min(source.size, start + most)

    def read(self, size: int = -1) -> bytes:
        """Read bytes, as far as there are any."""
        count = max(min(size if size >= 0 else self.end, self.end - self.at), 0)
        self.at += count
        return self.source.read(self.at - count, count)

    def readline(self) -> bytes:
        """Read up to the end of a line."""
        line = self.source.read(self.at, max(min(4096, self.end - self.at), 0)).partition(b"\n")
        self.at += len(line[0]) + len(line[1])
        return line[0] + line[1]


def read_pickle(file: Limited) -> Any:
    """Read one pickle.

    Raises:
        GatewiseError: for one that is damaged, too large, or wants more than data.
    """
    try:
        return run_pickle(file)
    except GatewiseError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        raise damaged(file.source.name, f"holds a pickle that is no plain data: {error}") from error


def find_tensors(thing: Any, file: str) -> dict[str, Tensor]:
    """Give the tensors of a state_dict, a checkpoint around one, or a scripted or whole module, by name.

    Raises:
        GatewiseError: for a structure without end.
    """
    found: dict[str, Tensor] = {}
    waiting: list[tuple[str, Any, int]] = [("", thing, 0)]
    for _ in range(MAX_OBJECTS):
        if not waiting:
            return found
        name, one, depth = waiting.pop()
        if isinstance(one, Tensor):
            found[name] = one
        elif depth < MAX_DEPTH:
            waiting.extend(reversed([(_join(name, key), value, depth + 1) for key, value in _children(one)]))
    raise damaged(file, f"nests more than {MAX_OBJECTS} objects")


def _join(name: str, key: str) -> str:
    """Name a part, without the dictionaries in which a module keeps its own."""
    return name if key in ("_parameters", "_buffers", "_modules") else f"{name}.{key}" if name else key


def _children(thing: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(thing, dict):
        # A recurrent module lists its parameters there once more.
        yield from ((str(key), value) for key, value in thing.items() if key != "_flat_weights")
    elif isinstance(thing, Named):
        yield from _children(thing.state)
        yield from ((str(item[0]), item[1]) for item in thing.items if isinstance(item, tuple) and len(item) == 2)
    elif isinstance(thing, (list, tuple)):
        yield from ((str(index), value) for index, value in enumerate(thing))


def stored_array(tensor: Tensor, elements: Source, order: Literal["<", ">"] = "<") -> StoredArray:
    """Give the elements of a tensor.

    Args:
        tensor: where it lies in its storage.
        elements: of the storage.
        order: of the bytes, "<" or ">".

    Raises:
        GatewiseError: for a tensor that reaches out of its storage, or of a type that is not read.
    """
    if tensor.storage.kind not in DTYPES:
        raise damaged(elements.name, f"keeps a tensor in a {tensor.storage.kind}, which is not read")
    dtype = np.dtype(DTYPES[tensor.storage.kind]).newbyteorder(order)
    count = 1
    for size in tensor.shape:
        count *= size
    reach = tensor.offset + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True)) + 1
    if count and (reach * dtype.itemsize > elements.size or count * dtype.itemsize > elements.size):
        raise damaged(elements.name, f"keeps a tensor of shape {tensor.shape} in {elements.size} bytes")
    start = tensor.offset * dtype.itemsize
    if not count or _is_plain(tensor.shape, tensor.strides):
        return elements.array(tensor.shape, dtype, start if count else 0)
    span = elements.array((reach - tensor.offset,), dtype, start)

    def read_into(at: int, buffer: memoryview) -> None:
        flat = np.frombuffer(span.read().astype(dtype, copy=False), dtype)
        steps = [stride * dtype.itemsize for stride in tensor.strides]
        view = np.lib.stride_tricks.as_strided(flat, tensor.shape, steps, writeable=False)
        buffer[:] = np.ascontiguousarray(view).reshape(-1).view(np.uint8)[at : at + len(buffer)].data

    return StoredArray(tensor.shape, dtype, read_into)


def _is_plain(shape: Sequence[int], strides: Sequence[int]) -> bool:
    step = 1
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if size != 1 and stride != step:
            return False
        step *= size
    return True
