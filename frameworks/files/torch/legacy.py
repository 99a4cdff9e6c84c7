"""Files of torch before 1.6: five pickles, then the storages, each preceded by its number of elements.

The pickles are a magic number, a version, the machine, the object and the keys of its storages.
Source: torch/serialization.py, `_legacy_save`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from frameworks.errors import InvalidValueError
from frameworks.files.given_options import GivenOptions
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.torch.objects import Pickled, Storage, Tensor, elements_of, unpickle
from frameworks.files.torch.state_dict import MAX_PICKLE, named_arrays, read_named
from frameworks.files.torch.tree import Named, find_tensors
from frameworks.files.untrusted.derived_arrays import check_shape
from frameworks.files.untrusted.source import Source, StoredArray, damaged, unsupported

_VERSION = 1001


def read(source: Source, given: GivenOptions) -> list[StoredLayer | OtherLayer]:
    """Read a file; see `frameworks.files.formats.Reader`."""
    return read_named(*_find(source), source.name, given)


def read_arrays(source: Source) -> tuple[dict[str, StoredArray], list[OtherLayer]]:
    """Return the arrays of a file; see `frameworks.files.formats.StateDictReader`."""
    return named_arrays(*_find(source), source.name)


def _find(source: Source) -> tuple[Named, Callable[[Tensor], StoredArray]]:
    *_, version, machine, root, keys = pickles = _pickles(source)
    if version.root != _VERSION or not isinstance(machine.root, Mapping) or not isinstance(keys.root, list):
        raise damaged(source.name, "begins as a file of torch before 1.6, but does not go on as one")
    stored = _storages(source, sum(each.end for each in pickles), keys.root, root.storages)
    order: Literal["<", ">"] = "<" if machine.root.get("little_endian", True) else ">"

    def elements(tensor: Tensor) -> StoredArray:
        if tensor.storage.key not in stored:
            raise damaged(source.name, f"has no storage {tensor.storage.key[:100]!r}")
        return elements_of(tensor, stored[tensor.storage.key], order, source.name)

    return find_tensors(root.root, source.name), elements


def _pickles(source: Source) -> list[Pickled]:
    """Read the five pickles, which are usually small."""
    for size in (1 << 20, MAX_PICKLE):
        content = source.head(size)
        try:
            return _read_pickles(content, source.name)
        except InvalidValueError:
            if len(content) == source.size:
                raise
    raise unsupported(source.name, f"has pickles of more than {MAX_PICKLE >> 20} MiB before its storages")


def _read_pickles(content: bytes, name: str) -> list[Pickled]:
    pickles: list[Pickled] = []
    for _ in range(5):
        pickles.append(unpickle(content, name))
        content = content[pickles[-1].end :]
    return pickles


def _storages(source: Source, at: int, keys: list[Any], known: Mapping[str, Storage]) -> dict[str, StoredArray]:
    """Return the bytes of each storage, (byte,); they are stored in the order of the keys."""
    stored: dict[str, StoredArray] = {}
    for key in keys:
        if key not in known or key in stored:
            raise damaged(source.name, f"lists a storage {str(key)[:100]!r} twice, or one that it does not use")
        (count,) = struct.unpack("<q", source.read(at, 8))
        check_shape(source.name, (count,))
        size = count * known[key].dtype.itemsize
        stored[key] = source.array((size,), np.uint8, at + 8)
        at += 8 + size
    return stored
