"""NumPy's arrays in a pickle: unlike torch's tensors their elements lie in it.

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
    """An array, of which nothing is copied before it is read.

    Args:
        content: its bytes; as text, of which each character is one, in a pickle that had to be readable to Python 2.
        dtype: of its elements.
        shape: of the array.
        by_columns: whether the first axis is the one whose neighbours lie together.
    """

    content: bytes | bytearray | str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    by_columns: bool

    def array(self, name: str) -> StoredArray:
        """Give it as an array of the file.

        Raises:
            GatewiseError: for a shape that the bytes do not have.
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
                raise damaged(name, "is text of which not every character is a byte") from error

        steps = [math.prod(self.shape[:axis] if self.by_columns else self.shape[axis + 1 :]) for axis in range(len(self.shape))]
        return strided(StoredArray((count,), self.dtype, read_into), 0, self.shape, tuple(steps), name)


def numpy_array(record: Record) -> NumpyArray | None:
    """Give the array that an object of a pickle is; None for any other, and for an array of what is no number."""
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
