"""torch's own files since torch 1.6, and TorchScript archives: a zip of one pickle and a member for each storage."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import MappingProxyType
from typing import Literal

from frameworks.files.given_options import Answers
from frameworks.files.keras.config import Config
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.torch.modules import read_modules
from frameworks.files.torch.objects import Tensor, elements_of, unpickle
from frameworks.files.torch.tree import Named, find_tensors
from frameworks.files.untrusted.archive import Archive
from frameworks.files.untrusted.json_text import MAX_BYTES
from frameworks.files.untrusted.source import Source, StoredArray, damaged
from frameworks.files.writing.naming import DESCRIPTION
from frameworks.files.writing.sidecar import read_described

MAX_PICKLE = 64 << 20
_PICKLE = "data.pkl"


def recognises(source: Source) -> bool:
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
    found, storages = _find(source, archive, root)
    description = f"{root}extra/{DESCRIPTION}.json"
    if description in archive:
        arrays = named_arrays(found, storages, source.name)[0]
        return read_described(archive.read(description, MAX_BYTES), arrays, source.name, answers)
    return read_named(found, storages, source.name, answers) + _constants(source, archive, root)


def read_arrays(source: Source) -> tuple[dict[str, StoredArray], list[OtherLayer]]:
    """Give the arrays of a file, and what stands where arrays might and is none."""
    archive = Archive(source)
    return named_arrays(*_find(source, archive, _root(archive) or ""), source.name)


def read_named(
    found: Named, storages: Callable[[Tensor], StoredArray], file: str, answers: Answers
) -> list[StoredLayer | OtherLayer]:
    """Read the layers that tensors make, `storages` giving the elements of a tensor's storage."""
    arrays, unread = named_arrays(found, storages, file)
    return [*read_modules(arrays, answers, found.said), *unread]


def named_arrays(
    found: Named, storages: Callable[[Tensor], StoredArray], file: str
) -> tuple[dict[str, StoredArray], list[OtherLayer]]:
    """Give the arrays that tensors are, and what is none."""
    arrays = {
        name: each.over(storages(each), f"{name} in {file}") if isinstance(each, Tensor) else each.array(f"{name} in {file}")
        for name, each in found.tensors.items()
    }
    return arrays, [OtherLayer(name, kind, warnings=(f"it is not read: {kind}.",)) for name, kind in found.unread.items()]


def _find(source: Source, archive: Archive, root: str) -> tuple[Named, Callable[[Tensor], StoredArray]]:
    pickled = unpickle(archive.read(f"{root}{_PICKLE}", MAX_PICKLE), f"{root}{_PICKLE} in {source.name}")
    return find_tensors(pickled.root, source.name), _storages(archive, root, "data", source.name)


def _constants(source: Source, archive: Archive, root: str) -> list[StoredLayer | OtherLayer]:
    """List the weights of a TorchScript archive that has them as constants of its code, where they have no names."""
    name = f"{root}constants.pkl"
    if name not in archive:
        return []
    found = find_tensors(unpickle(archive.read(name, MAX_PICKLE), f"{name} in {source.name}").root, source.name)
    arrays, _ = named_arrays(found, _storages(archive, root, "constants", source.name), source.name)
    warning = "constants of its code have no names; where torch.jit.freeze made weights so, save the model as it was before."
    return [OtherLayer("constants", stored=MappingProxyType(arrays), warnings=(warning,))] if arrays else []


def _root(archive: Archive) -> str | None:
    """Give the folder of the archive that all lies in, with a slash."""
    paths = (name.removesuffix(_PICKLE) for name in archive if name.endswith(f"/{_PICKLE}") or name == _PICKLE)
    return next((path for path in paths if path.count("/") <= 1), None)


def order_of(archive: Archive, root: str) -> Literal["<", ">"]:
    """Give the byte order of an archive's storages."""
    said = archive.read(f"{root}byteorder", 16) if f"{root}byteorder" in archive else b"little"
    return ">" if said == b"big" else "<"


def _storages(archive: Archive, root: str, folder: str, file: str) -> Callable[[Tensor], StoredArray]:
    order = order_of(archive, root)

    @cache
    def stored(key: str) -> StoredArray:
        name = f"{root}{folder}/{key}"
        if name not in archive:
            raise damaged(file, f"has no storage {key[:100]!r}")
        return archive.bytes_of(name)

    return lambda tensor: elements_of(tensor, stored(tensor.storage.key), order, file)
