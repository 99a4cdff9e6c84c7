"""NumPy arrays in a pickle: unlike the elements of torch tensors, theirs are in the pickle itself.

Source: numpy/_core/src/multiarray/methods.c, `array_reduce` and `array_setstate`; numpy/_core/numeric.py, `_frombuffer`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from frameworks.files.untrusted.derived_arrays import check_shape, strided
from frameworks.files.untrusted.source import StoredArray, damaged
from frameworks.files.untrusted.unpickling import Record

_DTYPE = re.compile(r"[iufc](?:1|2|4|8|16)|b1")


@dataclass(frozen=True, eq=False)
class NumpyArray:
    """An array whose elements are copied only when they are read.

    Args:
        content: the bytes of its elements; in a pickle for Python 2 text, with one character per byte.
        dtype: the dtype of its elements.
        shape: the array's shape.
        by_columns: whether the array is stored column by column.
    """

    content: bytes | bytearray | str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    by_columns: bool

    def array(self, name: str) -> StoredArray:
        """Return it as a stored array.

        Raises:
            GatewiseError: for a shape that does not fit the bytes.
        """
        check_shape(name, self.shape)
        count = len(self.content) // self.dtype.itemsize
        if count != math.prod(self.shape):
            raise damaged(name, f"has {len(self.content)} bytes for {self.dtype} of shape {self.shape}")

        def read_into(start: int, buffer: memoryview) -> None:
            piece = self.content[start : start + len(buffer)]
            try:
                buffer[:] = piece.encode("latin-1") if isinstance(piece, str) else piece
            except UnicodeEncodeError as error:
                raise damaged(name, "is text with characters that are not bytes") from error

        steps = [math.prod(self.shape[:axis] if self.by_columns else self.shape[axis + 1 :]) for axis in range(len(self.shape))]
        return strided(StoredArray((count,), self.dtype, read_into), 0, self.shape, tuple(steps), name)


def numpy_array(record: Record) -> NumpyArray | None:
    """Return the array that a pickled object represents, or None for other objects and for arrays without numbers."""
    function, state = record.name.rpartition(".")[2], record.state
    if not record.name.startswith("numpy."):
        return None
    if function == "_reconstruct" and isinstance(state, tuple) and len(state) == 5:
        _, shape, dtype, by_columns, content = state
    elif function == "_frombuffer" and len(record.args) == 4:
        content, dtype, shape, order = record.args
        by_columns = order == "F"
    else:
        return None
    if isinstance(content, Record) and content.name == "_codecs.encode" and content.args[1:] == ("latin1",):
        content = content.args[0]
    kind, sizes = _dtype(dtype), isinstance(shape, tuple) and all(type(size) is int for size in shape)
    if kind is None or not sizes or not isinstance(content, (bytes, bytearray, str)):
        return None
    return NumpyArray(content, kind, shape, bool(by_columns))


def _dtype(record: Any) -> np.dtype[Any] | None:
    if not isinstance(record, Record) or record.name != "numpy.dtype" or not record.args:
        return None
    code, state = record.args[0], record.state
    if not isinstance(code, str) or not _DTYPE.fullmatch(code):
        return None
    try:
        dtype = np.dtype(code)
    except TypeError:
        return None
    return dtype.newbyteorder(">") if isinstance(state, tuple) and state[1:2] == (">",) else dtype
