"""Layers as Keras has them: which of Keras's layers each becomes, and where its variables lie in a file.

Source: keras/src/saving/saving_lib.py (`_save_state`, `_save_container_state`): a model's layers by class and number in its
list `layers`, variables by number in a group `vars`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from frameworks.counterparts import LAYER_NAMES
from frameworks.errors import NoCounterpartError
from frameworks.files.keras_config import snake
from frameworks.files.naming import MODULES, keras_kind
from frameworks.files.others import OtherLayer
from frameworks.files.source import StoredArray
from frameworks.files.stored import StoredCell, StoredLayer
from frameworks.files.writing.tensors import Tensor, cell_tensors, transposed, unchanged
from frameworks.layouts import KERAS
from frameworks.options import KerasOptions

_WHOLE = KerasOptions(return_sequences=True, return_state=True)


def as_keras(layer: StoredLayer) -> list[StoredLayer]:
    """Give the layers of Keras that a stored one is: several for torch's of several layers.

    Raises:
        NoCounterpartError: for what no layer of Keras holds.
    """
    if layer.arguments.get("proj_size"):
        raise NoCounterpartError.because(
            f"proj_size of {layer.name}",
            must="be 0 to fit Keras's own LSTM",
            but=f"is {layer.arguments['proj_size']!r}: no layer of Keras projects its hidden state",
            remedy="Write it in torch's layout.",
        )
    options = layer.options or _WHOLE
    if options.nesting == "cells" or (options.nesting == "layers" and len(layer.cells) == 1):
        own = layer.class_name if layer.origin == "keras" else ""  # torch's RNN is not Keras's
        return [replace(layer, origin="keras", options=options, class_name=own)]
    last = options if options.nesting == "layers" else _WHOLE
    below = replace(last, return_sequences=True, return_state=options.nesting != "layers")
    count = len(layer.cells)
    return [
        replace(
            layer,
            name=layer.name if count == 1 else f"{layer.name}_l{index}",
            origin="keras",
            class_name="",
            cells=(cells,),
            options=last if index == count - 1 else below,
            arguments=MappingProxyType({}),
        )
        for index, cells in enumerate(layer.cells)
    ]


def keras_arrays(layer: OtherLayer) -> dict[str, Tensor] | None:
    """Give the arrays of a layer that is not recurrent in Keras's order and by its names; None where they are not known."""
    kind = keras_kind(layer.kind)
    if not layer.known or not kind or not MODULES[kind].holds(layer.stored):
        return None
    found = {}
    for name, (there, axes) in MODULES[kind].arrays.items():
        if name in layer.stored:
            found[name] = unchanged(layer.stored[name])
        elif there in layer.stored:
            found[name] = _turned_back(layer.stored[there], axes)
    return found if len(found) == len([name for name in layer.stored if name != "num_batches_tracked"]) else None


def _turned_back(array: StoredArray, axes: tuple[int, ...]) -> Tensor:
    return transposed(array, tuple(axes.index(axis) for axis in range(len(axes)))) if axes else unchanged(array)


@dataclass
class Placing:
    """Where the layers of a model lie, each numbered among those of its class."""

    counts: dict[str, int]

    def of(self, kind: str) -> str:
        """Give the place of the next layer of a class."""
        name = snake(kind)
        number = self.counts[name] = self.counts.get(name, -1) + 1
        return f"layers/{name}_{number}" if number else f"layers/{name}"


def cell_places(layer: StoredLayer) -> Iterator[tuple[str, StoredCell]]:
    """Yield the place of each cell's variables within one layer of Keras, and the cell."""
    stacked = layer.options is not None and layer.options.nesting == "cells"
    for direction in range(len(layer.cells[0])):
        way = f"{('forward', 'backward')[direction]}_layer/" if len(layer.cells[0]) == 2 else ""
        counts: dict[str, int] = {}
        for row in layer.cells:
            name = snake(f"{LAYER_NAMES['keras'][row[direction].spec.cell]}Cell")
            number = counts[name] = counts.get(name, -1) + 1
            within = f"cell/cells/{name}{f'_{number}' if number else ''}" if stacked else "cell"
            yield f"{way}{within}", row[direction]


def class_in_keras(layer: StoredLayer) -> str:
    """Give Keras's class of one layer, whatever subclass the file had."""
    if len(layer.cells[0]) == 2:
        return "Bidirectional"
    stacked = layer.options is not None and layer.options.nesting == "cells"
    return "RNN" if stacked or layer.class_name == "RNN" else LAYER_NAMES["keras"][layer.cells[0][0].spec.cell]


def cell_variables(cell: StoredCell) -> Mapping[str, Tensor]:
    """Give a cell's variables in Keras's order."""
    return cell_tensors(cell, KERAS)
