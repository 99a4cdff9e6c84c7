"""The structure of a Keras layer written in torch: its cells as `[layer][direction]`, and its spec or its parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from frameworks.cells import CELLS
from frameworks.errors import InvalidTypeError, InvalidValueError, NoCounterpartError
from frameworks.keras_in_torch.layers.call_and_states import KerasLayer
from frameworks.keras_in_torch.layers.cell_modules import KerasCell
from frameworks.keras_in_torch.layers.cells import Cell
from frameworks.keras_in_torch.layers.directions import Reading
from frameworks.keras_in_torch.layers.onnx import OnnxRecurrent
from frameworks.keras_in_torch.layers.parameters import CellHolder, Slot
from frameworks.keras_in_torch.layers.sequential import KerasTimeDistributed
from frameworks.options import KerasOptions
from frameworks.pytorch.contents import refuse_whole
from frameworks.spec import DTypeName, RecurrentSpec, Stack

_PARTS = "No single spec describes such a layer: pass its parts one at a time, as frameworks.registry.parts_of returns them."
_DTYPES: dict[torch.dtype, DTypeName] = {torch.float32: "float32", torch.float64: "float64"}


def describe(native: Any) -> tuple[Stack, KerasOptions]:
    """Return the sizes and the options of a layer, built or not."""
    if isinstance(native, KerasTimeDistributed):
        raise InvalidTypeError.because(
            "KerasTimeDistributed",
            must="be mapped by the layer inside it",
            but="adds an axis of outer time steps",
            remedy="Use gatewise.returns_map(module.layer), whose results have no outer time axis.",
        )
    holder = require_holder(native)
    slots = arrange_slots(holder)
    cell = slots[0][0].cell
    return Stack(cell.name, cell.units, len(slots), len(slots[0]) == 2), options_of(holder)


def parts(native: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield the direction, cell and layer of each part that has one spec, see `frameworks.registry.parts_of`.

    The layers share their parameters with `native`.
    """
    layer: Any = require_holder(native)
    if isinstance(layer, KerasCell):
        yield "", "", layer
        return
    names = ("forward", "backward") if len(layer.readings) == 2 else ("",)
    for direction, reading in zip(names, layer.readings, strict=True):
        if not reading.stacked:
            yield direction, "", layer.part(reading)
        else:
            yield from ((direction, f"cell {at}", layer.part(Reading((slot,)))) for at, slot in enumerate(reading.slots))


def require_holder(native: Any) -> CellHolder:
    """Return the module that owns the parameters of the cells.

    Raises:
        GatewiseError: for an emulated layer without cells, such as KerasMasking.
    """
    if isinstance(native, (OnnxRecurrent, KerasTimeDistributed)):
        return require_holder(native.layer)
    if isinstance(native, (KerasCell, KerasLayer)):
        return native
    raise refuse_whole(native) or InvalidTypeError.because(
        type(native).__name__,
        must="be a recurrent layer or cell",
        but="is another emulated layer",
        remedy="Pass a recurrent layer.",
    )


def options_of(holder: CellHolder) -> KerasOptions:
    """Return the options of a layer or cell."""
    if isinstance(holder, KerasLayer):
        return holder.options
    cell = holder.slots[0].cell
    return KerasOptions(nesting="cell", dropout=cell.dropout, recurrent_dropout=cell.recurrent_dropout)


def arrange_slots(holder: CellHolder) -> tuple[tuple[Slot, ...], ...]:
    """Return the slots as `[layer][direction]`.

    Raises:
        GatewiseError: for cells that no single spec describes.
    """
    readings = holder.readings if isinstance(holder, KerasLayer) else (Reading(holder.slots),)
    first = readings[0].cells[0]
    if len({len(reading.slots) for reading in readings}) > 1 or (len(readings) > 1 and len(readings[0].slots) > 1):
        raise InvalidValueError.because(
            "Bidirectional over stacked cells",
            must="run one cell per direction",
            but=f"runs {' and '.join(str(len(reading.slots)) for reading in readings)}",
            remedy=_PARTS,
        )
    for cell in (cell for reading in readings for cell in reading.cells):
        if (cell.name, cell.units) != (first.name, first.units):
            raise NoCounterpartError.because(
                "a cell of the layer",
                must=f"be of the kind and size of the first, {first.name} of {first.units}",
                but=f"is {cell.name} of {cell.units}",
                remedy=_PARTS,
            )
    return tuple(zip(*(reading.slots for reading in readings), strict=True))


def read_spec(holder: CellHolder, slots: Sequence[Sequence[Slot]]) -> RecurrentSpec:
    """Read the spec of the cells.

    Raises:
        GatewiseError: for a layer that is not built, for cells that compute differently, and for options that no spec supports.
    """
    if holder.input_size is None:
        raise InvalidValueError.because(
            type(holder).__name__,
            must="be built",
            but="has no weights yet",
            remedy="Call it once, or .build(input_size).",
        )
    specs = {_cell_spec(holder, slot.cell) for layer in slots for slot in layer}
    if len(specs) > 1:
        raise NoCounterpartError.because("the cells of the layer", must="compute alike", but=f"are {specs}", remedy=_PARTS)
    return replace(specs.pop(), num_layers=len(slots), bidirectional=len(slots[0]) == 2)


def _cell_spec(holder: CellHolder, cell: Cell) -> RecurrentSpec:
    dtype = next(holder.parameters()).dtype
    if dtype not in _DTYPES or holder.compute_dtype not in (None, dtype):
        raise InvalidTypeError.because(
            type(holder).__name__,
            must="have one dtype, float32 or float64",
            but=f"has {dtype} weights and computes in {holder.compute_dtype or dtype}",
            remedy="Half and mixed precision are not compared: make it with dtype='float32' and load the same state_dict.",
        )
    for name in ("activation", "recurrent_activation"):
        if not isinstance(getattr(cell, name), str):
            raise NoCounterpartError.because(
                f"the {name} of {type(holder).__name__}",
                must="be a built-in one",
                but=f"is {getattr(cell, name)!r}",
                remedy="The reference cannot compute your own function: compare the results of the two layers with "
                "numpy.testing.assert_allclose.",
            )
    options: dict[str, Any] = {name: getattr(cell, name) for name in CELLS[cell.name].options}
    return replace(cell.spec(holder.input_size or 1), dtype=_DTYPES[dtype], **options)
