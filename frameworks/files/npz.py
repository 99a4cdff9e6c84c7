"""NumPy's archives with torch's parameter names, each array a member with a header of its own.

Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
"""

from __future__ import annotations

import ast
import re
import struct
from typing import Any

import numpy as np

from frameworks.files.answers import Answers
from frameworks.files.archive import Archive
from frameworks.files.keras_config import Config
from frameworks.files.source import Source, StoredArray, damaged
from frameworks.files.torch_layers import Layer, read_layers

MAGIC = b"\x93NUMPY"
_MAX_HEADER = 10_000
_SHORT = re.compile(r"(.+)[_.](w|b)_(ih|hh)")


def is_npz(source: Source) -> bool:
    """Tell whether a zip archive holds arrays of NumPy's."""
    names = list(Archive(source))
    return bool(names) and all(name.endswith(".npy") for name in names)


def read(source: Source, architecture: Config | None, answers: Answers) -> list[Layer]:  # noqa: ARG001  it has none
    """Read an archive of arrays.

    Raises:
        GatewiseError: for a damaged file.
    """
    archive = Archive(source)
    arrays = {name.removesuffix(".npy"): _array(archive.member(name)) for name in archive}
    return read_layers({_torch_name(name): array for name, array in arrays.items()}, answers)


def _torch_name(name: str) -> str:
    """Give the name that torch has for a parameter that is called `encoder_w_ih` or alike."""
    found = _SHORT.fullmatch(name)
    return f"{found[1]}.{'weight' if found[2] == 'w' else 'bias'}_{found[3]}_l0" if found else name


def _array(source: Source) -> StoredArray:
    magic, major = source.read(0, 6), source.read(6, 1)
    width, form = (2, "<H") if major == b"\x01" else (4, "<I")
    (size,) = struct.unpack(form, source.read(8, width))
    if magic != MAGIC or size > _MAX_HEADER:
        raise damaged(source.name, "is no array of NumPy's")
    try:
        said: Any = ast.literal_eval(source.read(8 + width, size).decode("latin1").strip())
        dtype, shape = np.dtype(said["descr"]), tuple(said["shape"])
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError) as error:
        raise damaged(source.name, "has a header that is none of NumPy's") from error
    if dtype.kind not in "fiub" or any(type(each) is not int or each < 0 for each in shape):
        raise damaged(source.name, f"holds {said['descr']!r} of shape {shape}, which is not read")
    if not said.get("fortran_order"):
        return source.array(shape, dtype, 8 + width + size)
    turned = source.array(shape[::-1], dtype, 8 + width + size)

    def read_into(at: int, buffer: memoryview) -> None:
        plain = np.ascontiguousarray(turned.read().astype(dtype, copy=False).T)
        buffer[:] = plain.reshape(-1).view(np.uint8)[at : at + len(buffer)].data

    return StoredArray(shape, dtype, read_into)
