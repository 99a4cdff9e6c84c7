"""The parameters of the torch module that a stored layer of torch's or ONNX's is, by torch's names of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from frameworks.copying import fill
from frameworks.counterparts import require_counterpart
from frameworks.files.source import Array
from frameworks.files.stored import StoredCell, StoredLayer
from frameworks.layouts import PYTORCH


def arguments_of(stored: StoredLayer) -> dict[str, Any]:
    """Give the arguments of the module's constructor, but for the dtype.

    Raises:
        NoCounterpartError: for what torch's own modules do not compute.
    """
    first = stored.cells[0][0].spec
    for row in stored.cells:
        for cell in row:
            require_counterpart(cell.spec, "pytorch")
    arguments: dict[str, Any] = {"input_size": first.input_size, "hidden_size": first.hidden_size, "bias": first.bias}
    if first.cell == "rnn":
        arguments["nonlinearity"] = first.activation
    if not stored.is_cell:
        arguments |= {"num_layers": len(stored.cells), "bidirectional": len(stored.cells[0]) == 2, **stored.arguments}
    return arguments


def parameters_of(stored: StoredLayer) -> Iterator[tuple[str, Array]]:
    """Yield the parameters, read from the file one after the other."""
    for layer, row in enumerate(stored.cells):
        for direction, cell in enumerate(row):
            end = "" if stored.is_cell else f"_l{layer}{'_reverse' * direction}"
            yield from ((f"{name}{end}", array) for name, array in _in_torch_layout(cell).items())


def _in_torch_layout(cell: StoredCell) -> Mapping[str, Array]:
    if cell.layout is PYTORCH:
        return {name: array.read() for name, array in cell.arrays.items()}
    arrays: dict[str, Array] = {name: np.empty(shape, cell.spec.dtype) for name, shape in PYTORCH.shapes(cell.spec, 0).items()}
    fill(arrays, PYTORCH, cell.spec, 0, cell.read())
    return arrays
