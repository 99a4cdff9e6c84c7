"""Layers in Keras's layout: the Keras layers that each one becomes, and the places of its variables in a file.

Source: keras/src/saving/saving_lib.py (`_save_state`, `_save_container_state`). A model's layers are stored by class and number
in its list `layers`, variables by number in a group `vars`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from frameworks import kinds
from frameworks.counterparts import LAYER_NAMES
from frameworks.errors import NoCounterpartError
from frameworks.files.keras.config import numbered, snake
from frameworks.files.other_layers import GENERATOR, OtherLayer
from frameworks.files.stored import StoredCell, StoredLayer
from frameworks.files.untrusted.derived_arrays import MAX_RANK
from frameworks.files.untrusted.source import StoredArray
from frameworks.files.writing.blocks import Tensor, cell_tensors, reshaped, transposed, unchanged
from frameworks.layouts import KERAS
from frameworks.options import KerasOptions

_NUMBERED = re.compile(r"((.+/)?vars/)?\d+")
"""The name of an array that a file stores by number, in a layer of an unknown class."""

SUMMED_BIASES = "its two biases are written as their sum"
"""The caveat of a layer for which `sums_biases` holds."""

_CODE: Mapping[str, str] = MappingProxyType({"keras2_hard_sigmoid": "lambda x: keras.ops.clip(0.2 * x + 0.5, 0, 1)"})
"""The code of activations that Keras 3 lacks."""

_WHOLE = KerasOptions(return_sequences=True, return_state=True)


def code_of(activations: Iterable[str]) -> Iterator[str]:
    """Yield a caveat for each activation that a user of Keras 3 must write."""
    for name in activations:
        if name in _CODE:
            yield f"in a model that you build, pass {name} as {_CODE[name]}"


def as_keras(layer: StoredLayer) -> list[StoredLayer]:
    """Return the Keras layers that a stored layer becomes: one per layer of a torch module.

    Raises:
        NoCounterpartError: for a layer that no Keras layer can hold.
    """
    if layer.arguments.get("proj_size"):
        raise NoCounterpartError.because(
            f"proj_size of {layer.name}",
            must="be 0 to fit Keras's LSTM",
            but=f"is {layer.arguments['proj_size']!r}, and no Keras layer projects its hidden state",
            remedy="Write it in torch's layout.",
        )
    options = layer.options or _WHOLE
    if options.nesting == "cells" or (options.nesting == "layers" and len(layer.cells) == 1):
        own = layer.class_name if layer.origin == "keras" else ""  # in torch, RNN is the name of another layer
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


def why_not_written(layer: OtherLayer) -> str:
    """Return why a non-recurrent layer is not written: `keras_arrays` is None for it."""
    module = kinds.PYTORCH.get(layer.kind)
    if not layer.stored:
        return "it has no arrays"
    if module.name and not module.means:
        return f"{layer.kind} is not translated to Keras"
    if module.name and not layer.known:
        return "the corresponding Keras layer lacks one of its options"
    return "the meaning of its arrays in Keras is not known"


def keras_arrays(layer: OtherLayer) -> dict[str, Tensor] | None:
    """Return the arrays of a non-recurrent layer in Keras's order and by Keras names, or None if those are not known."""
    class_name = kinds.keras_kind(layer.kind)
    own = kinds.KERAS.get(class_name).arrays or ()
    module = kinds.PYTORCH.meaning(class_name)
    theirs = module.arrays or () if module else ()
    without_meaning = {array.name for array in theirs if not array.means}
    if not layer.known or not own or not layer.stored or not _fit(layer, *own, *(array for array in theirs if array.means)):
        return None
    tensors: dict[str, Tensor] = {}
    for array in own:
        source = next((each for each in theirs if each.means == array.name and each.name in layer.stored), None)
        if array.name in layer.stored:
            tensors[array.name] = _widened(layer, layer.stored[array.name], array)
        elif source:
            tensors[array.name] = _in_keras_order(layer, source, array)
    meant = [name for name in layer.stored if name not in without_meaning and GENERATOR not in name]
    return tensors if len(tensors) == len(meant) else None


def _fit(layer: OtherLayer, *arrays: kinds.Array) -> bool:
    """Return whether the layer's arrays of these names have the right numbers of axes."""
    return all(array.sizes(layer.stored[array.name].shape) is not None for array in arrays if array.name in layer.stored)


def config_in_keras(layer: OtherLayer) -> Mapping[str, Any]:
    """Return the stated arguments of the Keras layer; a file in torch's layout has them under "keras"."""
    config: Any = layer.config
    for key in ("keras", "config") if "keras" in config else ():
        config = config.get(key) if isinstance(config, Mapping) else None
    return config if isinstance(config, Mapping) else {}


def _in_keras_order(layer: OtherLayer, source: kinds.Array, target: kinds.Array) -> Tensor:
    axes = kinds.permutation(source, target)
    stored = layer.stored[source.name]
    return transposed(stored, axes) if axes else _widened(layer, stored, target)


def _widened(layer: OtherLayer, stored: StoredArray, target: kinds.Array) -> Tensor:
    """Add the axes of size 1, along which the PReLU of Keras shares slopes, to a torch array."""
    if not target.shared or len(stored.shape) != 1:
        return unchanged(stored)
    shared = config_in_keras(layer).get(target.shared)
    axes = max((axis for axis in shared if isinstance(axis, int)), default=0) if isinstance(shared, list) else 0
    missing = min(axes, MAX_RANK - 1) - (stored.shape == (1,))
    return reshaped(stored, (1,) * missing + stored.shape)


def variables_of_other(layer: OtherLayer) -> dict[str, Mapping[str, Tensor]]:
    """Return the variables of a non-recurrent layer by their places in it; {} if these are not known."""
    known, kind = keras_arrays(layer), kinds.KERAS.get(kinds.keras_kind(layer.kind))
    if known:
        paths = {array.name: array.path for array in kind.arrays or () if array.path}
        paths |= {name: name for name in layer.stored if GENERATOR in name}
        variables = known | {name: unchanged(array) for name, array in layer.stored.items() if GENERATOR in name}
        return _by_place((paths.get(name, name), tensor) for name, tensor in variables.items())
    if not layer.place or any(not _NUMBERED.fullmatch(name) for name in layer.stored):
        return {}
    return _by_place((name, unchanged(array)) for name, array in layer.stored.items())  # as they are, whatever they mean


def _by_place(variables: Iterable[tuple[str, Tensor]]) -> dict[str, Mapping[str, Tensor]]:
    groups: dict[str, dict[str, Tensor]] = {}
    for name, tensor in variables:
        within, _, number = name.rpartition("/")
        groups.setdefault(within.removesuffix("vars").rstrip("/"), {})[number] = tensor
    return dict(groups)


class Placing:
    """The places of a model's layers: the original places if all layers have one, otherwise consecutive ones."""

    def __init__(self, layers: list[StoredLayer | OtherLayer]) -> None:
        """Check whether all layers that can be written have different places."""
        places = [layer.place for layer in layers if isinstance(layer, StoredLayer) or variables_of_other(layer)]
        self._own = all(places) and len(set(places)) == len(places)
        self._counts = Counter[str]()

    def of(self, layer: StoredLayer | OtherLayer, kind: str, within: str = "") -> str:
        """Return the place of the next layer. `kind` is its class, or that of a wrapper with the layer at the path `within`."""
        if self._own:
            return layer.place
        number = self._counts[snake(kind)]
        self._counts[snake(kind)] += 1
        return f"layers/{numbered(kind, number)}{within}"


def cell_places(layer: StoredLayer) -> Iterator[tuple[str, StoredCell]]:
    """Yield each cell of a Keras layer, with the place of its variables in the layer."""
    stacked = layer.options is not None and layer.options.nesting == "cells"
    for direction in range(len(layer.cells[0])):
        way = f"{('forward', 'backward')[direction]}_layer/" if len(layer.cells[0]) == 2 else ""
        counts: dict[str, int] = {}
        for row in layer.cells:
            name = f"{LAYER_NAMES['keras'][row[direction].spec.cell]}Cell"
            number = counts[name] = counts.get(name, -1) + 1
            within = f"cell/cells/{numbered(name, number)}" if stacked else "cell"
            yield f"{way}{within}", row[direction]


def class_in_keras(layer: StoredLayer) -> str:
    """Return the Keras class of a layer, also for a subclass."""
    if len(layer.cells[0]) == 2:
        return "Bidirectional"
    stacked = layer.options is not None and layer.options.nesting == "cells"
    return "RNN" if stacked or layer.class_name == "RNN" else LAYER_NAMES["keras"][layer.cells[0][0].spec.cell]


def sums_biases(layer: StoredLayer) -> bool:
    """Return whether a torch layer has two biases, of which Keras stores only the sum."""
    cell = layer.cells[0][0]
    return layer.origin == "pytorch" and cell.layout.has_two_biases(cell.spec) and not KERAS.has_two_biases(cell.spec)


def cell_variables(cell: StoredCell) -> Mapping[str, Tensor]:
    """Return a cell's variables in Keras's order."""
    return cell_tensors(cell, KERAS)
