"""The .safetensors format: the size of the header, the header as JSON, and the arrays one after another.

Source: https://github.com/huggingface/safetensors, "Format".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from frameworks.files.given_options import GivenOptions
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.torch.modules import read_modules
from frameworks.files.torch.other_layers import told_kinds
from frameworks.files.untrusted.derived_arrays import check_shape, plain, widened
from frameworks.files.untrusted.json_text import MAX_BYTES, read_json
from frameworks.files.untrusted.source import Source, StoredArray, damaged, unsupported
from frameworks.files.writing.naming import DESCRIPTION
from frameworks.files.writing.sidecar import read_described

_DTYPES: Mapping[str, str] = {
    **{f"F{bits}": f"<f{bits // 8}" for bits in (16, 32, 64)},
    **{f"I{bits}": f"<i{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"U{bits}": f"<u{bits // 8}" for bits in (8, 16, 32, 64)},
    "BF16": "<u2",
    "BOOL": "?",
    "C64": "<c8",
}
_METADATA = "__metadata__"


def read(source: Source, given: GivenOptions) -> list[StoredLayer | OtherLayer]:
    """Read a file.

    Args:
        source: the file.
        given: the user's options.

    Raises:
        GatewiseError: for a damaged file.
    """
    metadata, arrays, unread = _read(source)
    description = metadata.get(DESCRIPTION) if isinstance(metadata, Mapping) else None
    if isinstance(description, str):
        return [*told_kinds(read_described(description, arrays, source.name, given), given), *unread]
    return [*read_modules(arrays, given), *unread]


def read_arrays(source: Source) -> tuple[dict[str, StoredArray], list[OtherLayer]]:
    """Return the arrays of a file, and a layer for each array whose dtype is not read."""
    return _read(source)[1:]


def _read(source: Source) -> tuple[Any, dict[str, StoredArray], list[OtherLayer]]:
    """Return the metadata, the arrays, and a layer for each array that is not read."""
    size = int.from_bytes(source.head(8), "little")
    if size > MAX_BYTES:
        raise unsupported(source.name, f"has a header of {size} bytes, more than {MAX_BYTES >> 20} MiB")
    header = dict(read_json(source.read(8, size), f"the header of {source.name}"))
    metadata = header.pop(_METADATA, None)
    data = source.part(8 + size, source.size - 8 - size)
    arrays: dict[str, StoredArray] = {}
    unread: list[OtherLayer] = []
    for name, entry in _in_order(header, data):
        if entry["dtype"] in _DTYPES:
            arrays[name] = _array(entry, data, name)
        else:
            unread.append(OtherLayer(name, warnings=(f"its dtype {str(entry['dtype'])[:20]} is not read.",)))
    return metadata, arrays, unread


def _in_order(header: Mapping[str, Any], data: Source) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the entries in the header's order, after checking that they fill the data without gaps."""
    for name, entry in header.items():
        if not isinstance(entry, Mapping) or not {"dtype", "shape", "data_offsets"} <= entry.keys():
            raise damaged(data.name, f"does not describe {name[:100]!r} by dtype, shape and offsets")
        sizes, offsets = entry["shape"], entry["data_offsets"]
        if not _are_sizes(sizes) or not _are_sizes(offsets) or len(offsets) != 2 or not isinstance(entry["dtype"], str):
            raise damaged(data.name, f"gives {name[:100]!r} an invalid shape or invalid offsets")
    end = 0
    for start, stop in sorted(entry["data_offsets"] for entry in header.values()):
        if start != end or stop < start:
            raise damaged(data.name, f"has arrays that overlap or leave a gap at byte {min(start, end)} of its data")
        end = stop
    if end != data.size:
        raise damaged(data.name, f"has {data.size} bytes of data, but its header states {end}")
    return list(header.items())


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(size) is int and 0 <= size < 1 << 48 for size in value)


def _array(entry: Mapping[str, Any], data: Source, name: str) -> StoredArray:
    shape, (start, stop) = tuple(entry["shape"]), entry["data_offsets"]
    check_shape(data.name, shape)
    array = plain(data, shape, _DTYPES[entry["dtype"]], start)
    if array.nbytes != stop - start:
        raise damaged(data.name, f"gives {name[:100]!r} {stop - start} bytes for shape {shape} of {entry['dtype']}")
    return widened(array, "bfloat16") if entry["dtype"] == "BF16" else array
