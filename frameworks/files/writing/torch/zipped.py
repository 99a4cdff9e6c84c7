"""The zip archives of NumPy (.npz) and torch (.pt), written block by block.

Source: numpy.lib.format, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html; torch/serialization.py
(`_save`) and torch/_utils.py (`_rebuild_tensor_v2`). Like torch, this module aligns arrays by padding the extra field of each
member.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import struct
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from frameworks.errors import InvalidTypeError
from frameworks.files.writing.blocks import Tensor, ahead
from frameworks.files.writing.naming import DESCRIPTION
from frameworks.files.writing.outcome import Layer, Written
from frameworks.files.writing.torch.layout import lay_out

ROOT, ALIGNMENT = "archive", 64
STORAGES: Mapping[str, str] = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
}


def write_npz(path: Path, layers: list[Layer]) -> list[Written]:
    """Write layers under torch's names, with the description as an array of UTF-8 bytes."""
    laid = lay_out(layers)
    with zipfile.ZipFile(path, "w") as archive:
        text = np.frombuffer(laid.description.encode(), np.uint8)
        _add(archive, f"{DESCRIPTION}.npy", _npy_head(text.shape, text.dtype), [text])
        for name, tensor in laid.tensors.items():
            _add(archive, f"{name}.npy", _npy_head(tensor.shape, tensor.dtype), ahead(tensor.blocks()), tensor.nbytes)
    return laid.written


def write_pt(path: Path, layers: list[Layer]) -> list[Written]:
    """Write layers as a state dict, which `torch.load` returns. The description is another member of the archive."""
    laid = lay_out(layers)
    with zipfile.ZipFile(path, "w") as archive:
        _add(archive, f"{ROOT}/data.pkl", _state_dict(laid.tensors))
        _add(archive, f"{ROOT}/byteorder", b"little")
        for number, tensor in enumerate(laid.tensors.values()):
            _add(archive, f"{ROOT}/data/{number}", b"", ahead(tensor.blocks()), tensor.nbytes)
        _add(archive, f"{ROOT}/extra/{DESCRIPTION}.json", laid.description.encode())
        _add(archive, f"{ROOT}/version", b"3\n")
    return laid.written


def _add(archive: zipfile.ZipFile, name: str, head: bytes, blocks: Iterable[Any] = (), nbytes: int = 0) -> None:
    member = zipfile.ZipInfo(name)
    wide = nbytes > 1 << 30
    begin = archive.start_dir + 30 + len(name.encode()) + 4 + 20 * wide
    padding = -begin % ALIGNMENT
    member.extra = struct.pack("<2sH", b"FB", padding) + bytes(padding)
    with archive.open(member, "w", force_zip64=wide) as file:
        file.write(head)
        for block in blocks:
            file.write(block.data)


def _npy_head(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    head = io.BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_2_0(head, described)
    return head.getvalue()


def _state_dict(tensors: Mapping[str, Tensor]) -> bytes:
    """Pickle an OrderedDict of tensors whose elements are members of the archive, named by number."""
    empty_dict = b"ccollections\nOrderedDict\n)R"
    entries = [
        _value(name)
        + b"ctorch._utils\n_rebuild_tensor_v2\n("
        + b"("
        + _value("storage")
        + f"ctorch\n{_storage(name, tensor)}\n".encode()
        + b"".join(map(_value, (str(number), "cpu", math.prod(tensor.shape))))
        + b"tQ"
        + b"".join(map(_value, (0, tensor.shape, _strides(tensor.shape), False)))
        + empty_dict
        + b"tR"
        for number, (name, tensor) in enumerate(tensors.items())
    ]
    return b"\x80\x02" + empty_dict + b"(" + b"".join(entries) + b"u."


def _value(value: object) -> bytes:
    """Pickle text, a number or a tuple of these, without the opcodes that begin and end a pickle."""
    return pickletools.optimize(pickle.dumps(value, 2))[2:-1]


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def _storage(name: str, tensor: Tensor) -> str:
    if tensor.dtype.name not in STORAGES:
        raise InvalidTypeError.because(
            name, must="have a dtype that torch has", but=f"has {tensor.dtype}", remedy="Leave the layer out."
        )
    return STORAGES[tensor.dtype.name]
