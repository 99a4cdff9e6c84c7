"""The parameters of a torch module, from a stored layer in any layout."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from frameworks.copying import fill
from frameworks.counterparts import require_counterpart
from frameworks.errors import NoCounterpartError
from frameworks.files.stored import StoredCell, StoredLayer
from frameworks.files.writing.naming import fits_torch
from frameworks.layouts import PYTORCH


def fits_torch_module(stored: StoredLayer) -> bool:
    """Return whether a built-in torch module computes a layer; if not, the layer is an ONNX node.

    Raises:
        NoCounterpartError: for unlike cells or stacked layers that no torch module computes.
    """
    if fits_torch(stored) and not stored.reads_backwards:
        return True
    if stored.is_cell or len(stored.cells) > 1:
        for part in stored.parts:
            require_counterpart(part.cells[0][0].spec, "pytorch", part.options)
        raise NoCounterpartError.because(
            f"the cells of {stored.name}", must="be alike", but="differ", remedy="Build them one at a time, from .parts."
        )
    return False


def torch_arguments(stored: StoredLayer) -> dict[str, Any]:
    """Return the arguments of a torch module that its sizes do not give. Where the file states no batch_first, it is True."""
    given = {name: value for name, value in stored.arguments.items() if value is not None}
    return given if stored.is_cell else {"batch_first": True, **given}


def torch_arrays(stored: StoredLayer) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield the name and array of each parameter of the module; one array at a time is read from the file."""
    for layer, cells in enumerate(stored.cells):
        for direction, cell in enumerate(cells):
            end = "" if stored.is_cell else f"_l{layer}{'_reverse' if direction else ''}"
            for name, array in _arrays(cell):
                yield f"{name}{end}", array


def _arrays(cell: StoredCell) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    if cell.layout is PYTORCH:
        yield from ((name, array.read()) for name, array in cell.arrays.items())
        return
    source = cell.read()
    for name, shape in PYTORCH.shapes(cell.spec, 0).items():
        array: npt.NDArray[Any] = np.empty(shape, cell.spec.dtype)
        fill({name: array}, PYTORCH, cell.spec, 0, source)
        yield name, array
