"""Files of torch since 1.6, and TorchScript archives: a zip with a pickle and one member per storage."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import MappingProxyType

from frameworks.files.given_options import GivenOptions
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.torch.objects import Tensor, elements_of, unpickle
from frameworks.files.torch.other_layers import told_kinds
from frameworks.files.torch.script_code import ScriptCode
from frameworks.files.torch.state_dict import MAX_PICKLE, named_arrays, order_of, read_named
from frameworks.files.torch.tree import Named, find_tensors
from frameworks.files.untrusted.archive import Archive
from frameworks.files.untrusted.json_text import MAX_BYTES
from frameworks.files.untrusted.source import Source, StoredArray, damaged
from frameworks.files.writing.naming import DESCRIPTION
from frameworks.files.writing.sidecar import read_described

_PICKLE = "data.pkl"


def read(source: Source, given: GivenOptions) -> list[StoredLayer | OtherLayer]:
    """Read a file.

    Args:
        source: the file.
        given: the user's options.

    Raises:
        GatewiseError: for a damaged file.
    """
    archive = Archive(source)
    root = _root(archive) or ""
    named, elements = _find(source, archive, root)
    description = f"{root}extra/{DESCRIPTION}.json"
    if description in archive:
        arrays = named_arrays(named, elements, source.name)[0]
        return [*told_kinds(read_described(archive.read(description, MAX_BYTES), arrays, source.name, given), given)]
    return read_named(named, elements, source.name, given) + _constants(source, archive, root)


def read_arrays(source: Source) -> tuple[dict[str, StoredArray], list[OtherLayer]]:
    """Return the arrays of a file; see `frameworks.files.formats.StateDictReader`."""
    archive = Archive(source)
    return named_arrays(*_find(source, archive, _root(archive) or ""), source.name)


def _find(source: Source, archive: Archive, root: str) -> tuple[Named, Callable[[Tensor], StoredArray]]:
    pickled = unpickle(archive.read(f"{root}{_PICKLE}", MAX_PICKLE), f"{root}{_PICKLE} in {source.name}")
    named = find_tensors(pickled.root, source.name, ScriptCode(archive, root))
    return named, _storages(archive, root, "data", source.name)


def _constants(source: Source, archive: Archive, root: str) -> list[StoredLayer | OtherLayer]:
    """Return the weights that a TorchScript archive stores as unnamed constants of its code."""
    name = f"{root}constants.pkl"
    if name not in archive:
        return []
    named = find_tensors(unpickle(archive.read(name, MAX_PICKLE), f"{name} in {source.name}").root, source.name)
    arrays, _ = named_arrays(named, _storages(archive, root, "constants", source.name), source.name)
    warning = (
        "constants of its code have no names; if torch.jit.freeze made weights into constants, save the model before that."
    )
    return [OtherLayer("constants", stored=MappingProxyType(arrays), warnings=(warning,))] if arrays else []


def _root(archive: Archive) -> str | None:
    """Return the top folder of the archive, with a slash."""
    paths = (name.removesuffix(_PICKLE) for name in archive if name.endswith(f"/{_PICKLE}") or name == _PICKLE)
    return next((path for path in paths if path.count("/") <= 1), None)


def _storages(archive: Archive, root: str, folder: str, file: str) -> Callable[[Tensor], StoredArray]:
    order = order_of(archive, root)

    @cache
    def stored(key: str) -> StoredArray:
        name = f"{root}{folder}/{key}"
        if name not in archive:
            raise damaged(file, f"has no storage {key[:100]!r}")
        return archive.bytes_of(name)

    return lambda tensor: elements_of(tensor, stored(tensor.storage.key), order, file)
