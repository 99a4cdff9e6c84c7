"""The contents of an untrusted h5 file: a worker process locates the arrays, and contiguous ones are read in place."""

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
from frameworks.files.untrusted.source import Source, StoredArray, damaged, scratch_source, unsupported

_RATIO = 1040
"""The most bytes that one compressed byte can expand to: deflate reaches 1032."""


@dataclass(frozen=True, eq=False)
class H5File:
    """The tree of an h5 file.

    Args:
        groups: for each group, by path, the attributes that are used; "" is the root.
        arrays: the arrays, by path.
        unread: the reason why an object was not read, by path.
    """

    groups: Mapping[str, Mapping[str, Any]]
    arrays: Mapping[str, StoredArray]
    unread: Mapping[str, str]

    def below(self, path: str) -> dict[str, StoredArray]:
        """Return the arrays below a group by their relative paths, sorted by number."""
        start = f"{path}/" if path else ""
        arrays = {name[len(start) :]: array for name, array in self.arrays.items() if name.startswith(start)}
        return dict(sorted(arrays.items(), key=lambda item: [(part.isdigit(), part.zfill(9)) for part in item[0].split("/")]))


def read_h5(source: Source) -> H5File:
    """Read the tree of an h5 file.

    Raises:
        GatewiseError: for a damaged file, or one that takes too long or too much memory to read.
        MissingFrameworkError: where h5py is not installed.
        ProcessError: if the process that parses h5 cannot run.
    """
    answer = _ask(source)
    arrays = {_plain(path): _array(source, path, dataset) for path, dataset in answer["datasets"].items()}
    groups = {_plain(path): attributes for path, attributes in answer["groups"].items()}
    return H5File({**{parent: {} for path in arrays for parent in _parents(path)}, **groups}, arrays, answer["unread"])


def _plain(path: str) -> str:
    """Return a path without backslashes: Keras 2.12 to 2.15 on Windows wrote backslashes into the names of groups."""
    return path.replace("\\", "/")


def _parents(path: str) -> Iterator[str]:
    at = path.find("/")
    while at > 0:
        yield path[:at]
        at = path.find("/", at + 1)


def _array(source: Source, path: str, dataset: Mapping[str, Any]) -> StoredArray:
    if dataset["dtype"] == BFLOAT16:
        return widened(_array(source, path, {**dataset, "dtype": "<u2"}), "bfloat16")
    shape, dtype = tuple(dataset["shape"]), np.dtype(dataset["dtype"])
    if dataset["offset"] is not None and math.prod(shape):
        return source.array(shape, dtype, dataset["offset"])
    nbytes = math.prod(shape) * dtype.itemsize
    if nbytes > _RATIO * (source.size + 4096):
        raise damaged(source.name, f"claims that its {source.size} bytes hold an array of {nbytes}")
    return StoredArray(shape, dtype, _Copied(source, path, nbytes).read_into)


@dataclass(eq=False)
class _Copied:
    """A chunked or compressed array, which the worker unpacks into a temporary file on the first read."""

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
        raise unsupported(source.name, f"was still being read by the h5 library after {h5_process.SECONDS} s") from error
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
        raise MissingFrameworkError.of("h5py", answer["missing"], extra="files", to="read an h5 file")
    if "refused" in answer:
        raise unsupported(source.name, answer["refused"])
    if "damaged" in answer:
        raise damaged(source.name, answer["damaged"])
    return answer
