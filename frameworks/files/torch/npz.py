"""NumPy's .npz archives of arrays under torch's names. Arrays of objects are not read, because they are pickles.

Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from numpy.lib import format as npy

from frameworks.files.given_options import GivenOptions
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.torch.modules import read_modules
from frameworks.files.torch.other_layers import told_kinds
from frameworks.files.untrusted.archive import Archive
from frameworks.files.untrusted.derived_arrays import strided
from frameworks.files.untrusted.source import Source, StoredArray, damaged
from frameworks.files.writing.naming import DESCRIPTION
from frameworks.files.writing.sidecar import read_described

_ENDING = ".npy"
_HEAD = 1 << 14
_READERS: dict[tuple[int, int], Callable[..., Any]] = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read(source: Source, given: GivenOptions) -> list[StoredLayer | OtherLayer]:
    """Read an archive.

    Args:
        source: the file.
        given: the user's options.

    Raises:
        GatewiseError: for a damaged file.
    """
    archive = Archive(source)
    arrays: dict[str, StoredArray] = {}
    unread: list[OtherLayer] = []
    for name in archive:
        array = _array(archive, name, f"{name} in {source.name}")
        if isinstance(array, StoredArray):
            arrays[name.removesuffix(_ENDING)] = array
        else:
            warning = f"it is not read: an array of {array}, which cannot hold weights and is not unpickled."
            unread.append(OtherLayer(name.removesuffix(_ENDING), warnings=(warning,)))
    if DESCRIPTION in arrays:
        description = arrays.pop(DESCRIPTION).read().tobytes()
        return [*told_kinds(read_described(description, arrays, source.name, given), given), *unread]
    return [*read_modules(arrays, given), *unread]


def _array(archive: Archive, name: str, called: str) -> StoredArray | str:
    """Return an array, or the name of its dtype if it does not hold numbers."""
    stored = archive.bytes_of(name)
    head = io.BytesIO(archive.head(name, _HEAD))
    try:
        version = npy.read_magic(head)
        shape, by_columns, dtype = _READERS[version](head)
    except Exception as error:  # it calls a parser of the standard library, which raises all kinds of errors
        raise damaged(called, f"is not an array: {str(error)[:200]}") from error
    if dtype.kind not in "fiubc" or dtype.hasobject:
        return str(dtype)[:100]
    count = (stored.shape[0] - head.tell()) // dtype.itemsize
    elements = StoredArray((max(count, 0),), dtype, stored.read_into, stored.start + head.tell())
    sizes = tuple(int(size) for size in shape)
    steps = _strides(sizes[::-1])[::-1] if by_columns else _strides(sizes)
    return strided(elements, 0, sizes, steps, called)


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides, in elements, of an array that is stored row by row."""
    strides: list[int] = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))
