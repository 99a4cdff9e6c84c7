"""What an h5 file holds, without trusting it: a worker process says where things lie, and plain arrays are read in place."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from frameworks.errors import MissingFrameworkError
from frameworks.files.untrusted import h5_process
from frameworks.files.untrusted.derived_arrays import widened
from frameworks.files.untrusted.h5_worker import BFLOAT16
from frameworks.files.untrusted.source import Source, StoredArray, damaged, scratch_source

MAGIC = b"\x89HDF\r\n\x1a\n"

_RATIO = 1040
"""Bytes that one compressed byte can stand for at most: deflate reaches 1032."""


@dataclass(frozen=True, eq=False)
class H5File:
    """The tree of an h5 file.

    Args:
        groups: the attributes of use of each group, by its path; "" is the root.
        arrays: by their paths.
        odd: what was left unread, by its path, and why.
    """

    groups: Mapping[str, Mapping[str, Any]]
    arrays: Mapping[str, StoredArray]
    odd: Mapping[str, str]

    def below(self, path: str) -> dict[str, StoredArray]:
        """Give the arrays below a group, by what follows its path, numbers in their order."""
        start = f"{path}/" if path else ""
        found = {name[len(start) :]: array for name, array in self.arrays.items() if name.startswith(start)}
        return dict(sorted(found.items(), key=lambda item: [(part.isdigit(), part.zfill(9)) for part in item[0].split("/")]))


def read_h5(source: Source) -> H5File:
    """Read the tree of an h5 file.

    Raises:
        GatewiseError: for a damaged file, or one that takes too long or too much memory to read.
        MissingFrameworkError: where h5py is not installed.
    """
    answer = _ask(source)
    arrays = {_plain(path): _array(source, path, found) for path, found in answer["datasets"].items()}
    groups = {_plain(path): attributes for path, attributes in answer["groups"].items()}
    return H5File({**{parent: {} for path in arrays for parent in _parents(path)}, **groups}, arrays, answer["odd"])


def _plain(path: str) -> str:
    """Give a path with slashes alone: Keras 2.12 to 2.15 on Windows made one group of several, with backslashes in its name."""
    return path.replace("\\", "/")


def _parents(path: str) -> Iterator[str]:
    at = path.find("/")
    while at > 0:
        yield path[:at]
        at = path.find("/", at + 1)


def _array(source: Source, path: str, found: Mapping[str, Any]) -> StoredArray:
    if found["dtype"] == BFLOAT16:
        return widened(_array(source, path, {**found, "dtype": "<u2"}), "bfloat16")
    shape, dtype = tuple(found["shape"]), np.dtype(found["dtype"])
    if found["offset"] is not None and math.prod(shape):
        return source.array(shape, dtype, found["offset"])
    nbytes = math.prod(shape) * dtype.itemsize
    if nbytes > _RATIO * (source.size + 4096):
        raise damaged(source.name, f"says that its {source.size} bytes hold an array of {nbytes}")
    return StoredArray(shape, dtype, _Copied(source, path, nbytes).read_into)


@dataclass(eq=False)
class _Copied:
    """An array that lies in pieces or compressed: the worker writes it out plain when it is first read."""

    source: Source
    path: str
    nbytes: int
    plain: Source | None = None

    def read_into(self, start: int, buffer: memoryview) -> None:
        if self.plain is None:
            self.plain = scratch_source(self.source.name, self._write)
            if self.plain.size != self.nbytes:
                raise damaged(self.source.name, f"holds {self.plain.size} bytes in {self.path}, not {self.nbytes}")
        self.plain.read_into(start, buffer)

    def _write(self, descriptor: int) -> None:
        _ask(self.source, copy=self.path, out=descriptor)


def _ask(source: Source, out: int | None = None, **request: Any) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(h5_process.ask({"ratio": _RATIO, **request}, source, out))
    except TimeoutError as error:
        raise damaged(source.name, f"was still being read by the h5 library after {h5_process.SECONDS} s") from error
    except ValueError as error:
        raise damaged(source.name, "made the h5 library fail") from error
    if not answer["memory_is_limited"]:
        warnings.warn(
            f"h5 files are parsed without a limit on memory, which this system cannot set; the limit of {h5_process.SECONDS} s"
            " holds. Open only files that you trust.",
            RuntimeWarning,
            stacklevel=2,
        )
    if "missing" in answer:
        raise MissingFrameworkError.because(
            "h5py",
            must="be importable to read an h5 file",
            but=f"importing it failed with: {answer['missing']}",
            remedy="Install it with: pip install 'gatewise[files]'.",
        )
    if "refused" in answer:
        raise damaged(source.name, answer["refused"])
    return answer
