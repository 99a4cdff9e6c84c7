"""torch's own files since torch 1.6, and TorchScript archives: a zip of one pickle and a member for each storage."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Literal

from frameworks.files.answers import Answers
from frameworks.files.archive import Archive
from frameworks.files.description import read_described
from frameworks.files.json_text import MAX_BYTES
from frameworks.files.keras_config import Config
from frameworks.files.naming import DESCRIPTION
from frameworks.files.others import OtherLayer
from frameworks.files.source import Source, StoredArray, damaged
from frameworks.files.stored import StoredLayer
from frameworks.files.torch_modules import read_modules
from frameworks.files.torch_objects import Tensor, elements_of, unpickle
from frameworks.files.torch_tree import Named, find_tensors

MAX_PICKLE = 64 << 20
_PICKLE = "data.pkl"


def is_torch_zip(source: Source) -> bool:
    """Tell whether a zip archive is one that torch wrote."""
    return _root(Archive(source)) is not None


def read(source: Source, architecture: Config | None, answers: Answers) -> list[StoredLayer | OtherLayer]:  # noqa: ARG001
    """Read a file of torch's.

    Args:
        source: the file.
        architecture: Keras has one, torch none.
        answers: what the user says of the layers.

    Raises:
        GatewiseError: for a damaged file.
    """
    archive = Archive(source)
    root = _root(archive) or ""
    pickled = unpickle(archive.read(f"{root}{_PICKLE}", MAX_PICKLE), f"{root}{_PICKLE} in {source.name}")
    found, storages = find_tensors(pickled.root, source.name), _storages(archive, root, source.name)
    description = f"{root}extra/{DESCRIPTION}.json"
    if description in archive:
        arrays = _arrays(found, storages, source.name)
        return read_described(archive.read(description, MAX_BYTES), arrays, source.name, answers)
    return read_named(found, storages, source.name, answers)


def read_named(
    found: Named, storages: Callable[[Tensor], StoredArray], file: str, answers: Answers
) -> list[StoredLayer | OtherLayer]:
    """Read the layers that tensors make, `storages` giving the elements of a tensor's storage."""
    layers = list(read_modules(_arrays(found, storages, file), answers, found.said))
    return layers + [
        OtherLayer(name, kind, known=False, warnings=(f"it is not read: {kind}.",)) for name, kind in found.unread.items()
    ]


def _arrays(found: Named, storages: Callable[[Tensor], StoredArray], file: str) -> dict[str, StoredArray]:
    return {
        name: each.over(storages(each), f"{name} in {file}") if isinstance(each, Tensor) else each.array(f"{name} in {file}")
        for name, each in found.tensors.items()
    }


def _root(archive: Archive) -> str | None:
    """Give the folder of the archive that all lies in, with a slash."""
    paths = (name.removesuffix(_PICKLE) for name in archive if name.endswith(f"/{_PICKLE}") or name == _PICKLE)
    return next((path for path in paths if path.count("/") <= 1), None)


def _storages(archive: Archive, root: str, file: str) -> Callable[[Tensor], StoredArray]:
    said = archive.read(f"{root}byteorder", 16) if f"{root}byteorder" in archive else b"little"
    order: Literal["<", ">"] = ">" if said == b"big" else "<"

    @cache
    def stored(key: str) -> StoredArray:
        name = f"{root}data/{key}"
        if name not in archive:
            raise damaged(file, f"has no storage {key[:100]!r}")
        return archive.bytes_of(name)

    return lambda tensor: elements_of(tensor, stored(tensor.storage.key), order, file)
