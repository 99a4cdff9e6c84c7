"""Names in files of torch's layout: what a layer's arrays are called there, for reading and for writing."""

from __future__ import annotations

from collections.abc import Iterator

from frameworks.counterparts import find_limits
from frameworks.errors import NoCounterpartError
from frameworks.files.stored import StoredLayer

DESCRIPTION = "gatewise"
"""The key of the metadata, and in formats without any the name of the array, that says what the weights mean."""

EMULATED = "emulated"
"""What goes between a layer's name and its arrays where torch.nn's own module of these arrays would compute something else."""


def prefix_of(name: str) -> str:
    """Give what the names of a layer's arrays begin with: "inner/lstm" is a module within a module."""
    return f"{name.replace('/', '.')}." if name else ""


def plain_name(name: str) -> str:
    """Give a name as Keras allows it on every backend."""
    return name.replace("/", "_").replace(".", "_")


def cell_suffix(layer: int, direction: int) -> str:
    """Give what torch.nn puts behind the names of an array of a layer: `_l1_reverse`."""
    return f"_l{layer}{'_reverse' if direction else ''}"


def places(layer: StoredLayer) -> Iterator[tuple[int, int, str, str]]:
    """Yield each cell's layer and direction and what stands before and behind its arrays' names."""
    prefix = prefix_of(layer.name) + ("" if fits_torch(layer) else f"{EMULATED}.")
    for index, cells in enumerate(layer.cells):
        for direction in range(len(cells)):
            yield index, direction, prefix, "" if layer.is_cell else cell_suffix(index, direction)


def fits_torch(layer: StoredLayer) -> bool:
    """Tell whether a module of torch.nn with these arrays computes the layer, whatever is done with its results."""
    if layer.arguments.get("proj_size"):  # torch's own, of which there is no spec
        return True
    try:
        spec = layer.spec
    except NoCounterpartError:
        return False
    return next(find_limits(spec, "pytorch"), None) is None
