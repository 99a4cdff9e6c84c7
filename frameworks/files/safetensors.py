"""The safetensors format: a JSON header of names, types and places, then the elements.

Source: https://github.com/huggingface/safetensors, "Format".
"""

from __future__ import annotations

import struct
from typing import Any

from frameworks.files.answers import Answers
from frameworks.files.json_text import MAX_BYTES, read_json
from frameworks.files.keras_config import Config
from frameworks.files.source import Source, StoredArray, damaged
from frameworks.files.torch_layers import Layer, read_layers

DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",  # its bits: NumPy has no such type
    "BOOL": "?",
    **{f"{sign}{bits}": f"<{sign.lower()}{bits // 8}" for sign in "IU" for bits in (8, 16, 32, 64)},
}


def is_safetensors(source: Source) -> bool:
    """Tell whether a file begins with the size of a JSON header, and with one."""
    if source.size < 10:
        return False
    (size,) = struct.unpack("<Q", source.read(0, 8))
    return 2 <= size <= source.size - 8 and source.read(8, 1) == b"{"


def read(source: Source, architecture: Config | None, answers: Answers) -> list[Layer]:  # noqa: ARG001  it has none
    """Read a safetensors file with torch's parameter names.

    Raises:
        GatewiseError: for a damaged file.
    """
    (size,) = struct.unpack("<Q", source.read(0, 8))
    if size > MAX_BYTES:
        raise damaged(source.name, f"has a header of {size} bytes, more than {MAX_BYTES >> 20} MiB")
    header = read_json(source.read(8, size), f"the header of {source.name}")
    elements = source.part(8 + size, source.size - 8 - size)
    return read_layers({name: _array(elements, name, said) for name, said in header.items() if name != "__metadata__"}, answers)


def _array(elements: Source, name: str, said: Any) -> StoredArray:
    said = said if isinstance(said, dict) else {}
    shape, places = said.get("shape"), said.get("data_offsets")
    if said.get("dtype") not in DTYPES or not _are_counts(shape) or not _are_counts(places) or len(places) != 2:
        raise damaged(elements.name, f"describes {name} as {said}, which is not read")
    array = elements.array(tuple(shape), DTYPES[said["dtype"]], places[0])
    if array.nbytes != places[1] - places[0]:
        raise damaged(elements.name, f"gives {name} of shape {tuple(shape)} {places[1] - places[0]} bytes")
    return array


def _are_counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(each) is int and each >= 0 for each in value)
