"""The names of a layer's arrays in files in torch's layout, for reading and for writing."""

from __future__ import annotations

from collections.abc import Iterator

from frameworks.counterparts import find_limits
from frameworks.errors import NoCounterpartError
from frameworks.files.stored import StoredLayer

DESCRIPTION = "gatewise"
"""Where a file describes its weights: a key of its metadata, or the name of an array in formats without metadata."""

EMULATED = "emulated"
"""A part between layer and array names, used if the torch.nn module with these arrays computes something else."""


def prefix_of(name: str) -> str:
    """Return the prefix of the names of a layer's arrays: `inner.lstm.` for "inner/lstm", a module within a module."""
    return f"{name.replace('/', '.')}." if name else ""


def plain_name(name: str) -> str:
    """Return a name in a form that Keras allows on every backend."""
    return name.replace("/", "_").replace(".", "_")


def cell_suffix(layer: int, direction: int) -> str:
    """Return the suffix that torch.nn adds to the names of a layer's arrays: `_l1_reverse`."""
    return f"_l{layer}{'_reverse' if direction else ''}"


def places(layer: StoredLayer) -> Iterator[tuple[int, int, str, str]]:
    """Yield each cell's layer and direction, and the prefix and suffix of its arrays' names."""
    prefix = prefix_of(layer.name) + ("" if fits_torch(layer) else f"{EMULATED}.")
    for index, cells in enumerate(layer.cells):
        for direction in range(len(cells)):
            yield index, direction, prefix, "" if layer.is_cell else cell_suffix(index, direction)


def fits_torch(layer: StoredLayer) -> bool:
    """Return whether a module of torch.nn with these arrays computes a layer. Which results it returns does not matter."""
    if layer.arguments.get("proj_size"):  # a torch layer, which has no spec
        return True
    try:
        spec = layer.spec
    except NoCounterpartError:
        return False
    return next(find_limits(spec, "pytorch"), None) is None
