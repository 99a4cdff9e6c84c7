"""torch's files before 1.6: five pickles one after the other, then the storages, each after its size."""

from __future__ import annotations

import struct

import numpy as np

from frameworks.files.answers import Answers
from frameworks.files.keras_config import Config
from frameworks.files.source import Source, damaged
from frameworks.files.torch_layers import Layer, read_layers
from frameworks.files.torch_tensors import DTYPES, Limited, find_tensors, read_pickle, stored_array

MAGIC = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""The long integer that such a file begins with, after the two bytes that say which pickle it is."""


def is_torch_legacy(source: Source) -> bool:
    """Tell whether a file begins as such ones do."""
    return source.head(2 + len(MAGIC))[2:] == MAGIC


def read(source: Source, architecture: Config | None, answers: Answers) -> list[Layer]:  # noqa: ARG001  torch writes none
    """Read a file of torch.save before torch 1.6.

    Raises:
        GatewiseError: for a damaged file.
    """
    at, found = 0, []
    for _ in range(5):
        file = Limited(source, at)
        found.append(read_pickle(file))
        at = file.at
    *_, contents, keys = found
    tensors = find_tensors(contents, source.name)
    kinds = {tensor.storage.key: tensor.storage.kind for tensor in tensors.values()}
    if not isinstance(keys, list):
        raise damaged(source.name, "names no storages")
    storages = {}
    for key in map(str, keys):
        (count,) = struct.unpack("<q", source.read(at, 8))
        if key not in kinds or kinds[key] not in DTYPES:
            raise damaged(source.name, f"keeps a storage {key} of an unknown kind")
        size = count * np.dtype(DTYPES[kinds[key]]).itemsize
        storages[key] = source.part(at + 8, size)
        at += 8 + size
    missing = set(kinds) - set(storages)
    if missing:
        raise damaged(source.name, f"lacks {len(missing)} of the storages that its tensors lie in")
    return read_layers({name: stored_array(tensor, storages[tensor.storage.key]) for name, tensor in tensors.items()}, answers)
