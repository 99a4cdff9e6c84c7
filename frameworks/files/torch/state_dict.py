"""Arrays and layers from named tensors, shared by the formats of torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from frameworks.files.given_options import GivenOptions
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.torch.modules import read_modules
from frameworks.files.torch.objects import Tensor
from frameworks.files.torch.tree import Named
from frameworks.files.untrusted.archive import Archive
from frameworks.files.untrusted.source import StoredArray

MAX_PICKLE = 64 << 20


def read_named(
    named: Named, elements: Callable[[Tensor], StoredArray], file: str, given: GivenOptions
) -> list[StoredLayer | OtherLayer]:
    """Return the layers that named tensors belong to.

    Args:
        named: the tensors.
        elements: returns the elements of a tensor's storage, (element,).
        file: what messages call the file.
        given: the user's options.
    """
    arrays, unread = named_arrays(named, elements, file)
    return [*read_modules(arrays, given, named.attributes, named.groups), *unread]


def named_arrays(
    named: Named, elements: Callable[[Tensor], StoredArray], file: str
) -> tuple[dict[str, StoredArray], list[OtherLayer]]:
    """Return the arrays of tensors by name, and a layer for each tensor that cannot be read; see `read_named`."""
    arrays = {
        name: each.over(elements(each), f"{name} in {file}") if isinstance(each, Tensor) else each.array(f"{name} in {file}")
        for name, each in named.tensors.items()
    }
    unread = [OtherLayer(name, kind, warnings=(f"it is not read: {kind}.",)) for name, kind in named.unread.items()]
    return arrays, unread + [OtherLayer(name, kind) for name, kind in named.beside.items()]


def order_of(archive: Archive, root: str) -> Literal["<", ">"]:
    """Return the byte order of an archive's storages."""
    order = archive.read(f"{root}byteorder", 16) if f"{root}byteorder" in archive else b"little"
    return ">" if order == b"big" else "<"
