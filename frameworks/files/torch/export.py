"""The format of torch.export (.pt2): a state dict as storages and JSON that describes them, or as an inner file of torch.

Source: torch/export/pt2_archive/_package.py, torch/_export/serde/schema.py (`ScalarType`); before torch 2.8
torch/export/__init__.py (`save`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from frameworks.errors import GatewiseError
from frameworks.files.formats import STATE_DICTS, find_format
from frameworks.files.given_options import GivenOptions
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.torch.objects import Storage, Tensor, elements_of, tensor_over
from frameworks.files.torch.state_dict import order_of, read_named
from frameworks.files.torch.tree import Named
from frameworks.files.untrusted.archive import Archive
from frameworks.files.untrusted.json_text import MAX_BYTES, read_json
from frameworks.files.untrusted.source import Source, StoredArray, damaged, unsupported

_CONFIG = re.compile(r"(.*/|)data/(weights|constants)/([^/]+)_\2_config\.json", re.DOTALL)
_WITHIN = re.compile(r"(?:.*/|)(?:serialized_state_dict|data/weights/[^/]+)\.pt", re.DOTALL)
_KINDS: Mapping[int, str] = MappingProxyType(
    {1: "Byte", 2: "Char", 3: "Short", 4: "Int", 5: "Long", 6: "Half", 7: "Float", 8: "Double", 10: "ComplexFloat"}
    | {11: "ComplexDouble", 12: "Bool", 13: "BFloat16"}
)


def read(source: Source, given: GivenOptions) -> list[StoredLayer | OtherLayer]:
    """Read an archive; see `frameworks.files.formats.Reader`."""
    archive = Archive(source)
    configs = [match for match in map(_CONFIG.fullmatch, archive) if match]
    if not configs:
        within = archive.member(next(name for name in archive if _WITHIN.fullmatch(name)))
        return find_format(within, STATE_DICTS).read(within, given)
    several = len({config[3] for config in configs}) > 1
    named = Named()
    for config in configs:
        part = Named()
        for name, tensor in _tensors(archive, config[0], source.name):
            if isinstance(tensor, Tensor):
                part.put(name, tensor)
            else:
                part.unread[name] = tensor
        named.add(part.under(f"{config[3]}." if several else ""))

    def elements(tensor: Tensor) -> StoredArray:
        return elements_of(tensor, archive.bytes_of(tensor.storage.key), order_of(archive, configs[0][1]), source.name)

    return read_named(named, elements, source.name, given)


def _tensors(archive: Archive, config: str, file: str) -> Iterator[tuple[str, Tensor | str]]:
    """Yield the name of each entry of a part of the archive, with its tensor, or with a description of anything else."""
    folder = config.rpartition("/")[0]
    try:
        for name, entry in read_json(archive.read(config, MAX_BYTES), config)["config"].items():
            meta, key = entry["tensor_meta"], f"{folder}/{entry['path_name']}"
            kind = _KINDS.get(meta["dtype"]) if meta and not entry["use_pickle"] else None
            if kind is None:
                yield name, "an object, or a tensor of an unknown dtype"
                continue
            if key not in archive:
                raise damaged(file, f"has no storage {key[:100]!r}")
            sizes, steps = ([one["as_int"] for one in meta[part]] for part in ("sizes", "strides"))
            yield name, tensor_over(Storage(kind, key, 0), meta["storage_offset"]["as_int"], sizes, steps)
    except GatewiseError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise unsupported(
            file, f"describes its weights in {config[:100]} in an unknown way: {type(error).__name__} {str(error)[:100]}"
        ) from error
