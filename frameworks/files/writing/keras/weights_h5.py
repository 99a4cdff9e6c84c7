"""The .weights.h5 format of Keras 3, which `load_weights` reads into a model with the same layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import h5py

from frameworks.cells import OPTIONS
from frameworks.files.given_options import KERAS_FLAGS
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.writing.blocks import Tensor
from frameworks.files.writing.keras.layout import (
    SUMMED_BIASES,
    Placing,
    as_keras,
    cell_places,
    cell_variables,
    class_in_keras,
    code_of,
    sums_biases,
    variables_of_other,
    why_not_written,
)
from frameworks.files.writing.keras.variables import write_variable
from frameworks.files.writing.outcome import Layer, Written
from frameworks.kinds import KERAS, keras_kind
from frameworks.options import KerasOptions
from frameworks.spec import RecurrentSpec

Groups = dict[str, tuple[str, Mapping[str, Tensor]]]
"""By place: the name of a layer, and its variables."""


def write(path: Path, layers: list[Layer]) -> list[Written]:
    """Write the variables of all layers that Keras has.

    Raises:
        NoCounterpartError: for a recurrent layer that Keras lacks.
    """
    placing, written = Placing(layers), []
    groups: Groups = {}
    for layer in layers:
        if isinstance(layer, StoredLayer):
            for one in as_keras(layer):
                place = placing.of(one, class_in_keras(one))
                groups[place] = (one.name, {})
                groups |= {f"{place}/{way}": ("", cell_variables(cell)) for way, cell in cell_places(one)}
                written.append(Written(layer.name, layer.class_name, class_in_keras(one), place, tuple(_caveats(layer, one))))
        else:
            by_place = variables_of_other(layer)
            place = _place_other(layer, placing) if by_place else ""
            for within, variables in by_place.items():
                groups[f"{place}/{within}".rstrip("/")] = ("" if within else layer.name, variables)
            written.append(_outcome(layer, place))
    # This process has locked it already.
    with h5py.File(path, "w", locking=False) as file:
        file.create_group("vars")  # the model's own, none: Keras up to 3.5 asks for it
        for place, (name, variables) in groups.items():
            group = file.require_group(f"{place}/vars")
            if name:
                group.attrs["name"] = name
            for number, tensor in enumerate(variables.values()):
                write_variable(group, str(number), tensor)
    return written


def _place_other(layer: OtherLayer, placing: Placing) -> str:
    if layer.wrappers:
        return placing.of(layer, layer.wrappers[0], f"/{KERAS.get(layer.wrappers[0]).inner}")
    return placing.of(layer, keras_kind(layer.kind) or layer.kind or "Layer")


def _outcome(layer: OtherLayer, place: str) -> Written:
    """Return the outcome of a non-recurrent layer."""
    if not place:
        return Written(layer.name, layer.kind or "arrays", "", "", (f"not written: {why_not_written(layer)}",))
    return Written(layer.name, layer.kind, " of ".join([*layer.wrappers, keras_kind(layer.kind) or layer.kind]), place)


def _caveats(layer: StoredLayer, one: StoredLayer) -> Iterator[str]:
    """Yield caveats about options that the file does not store, so that the model must set them."""
    spec, options = one.cells[0][0].spec, one.options or KerasOptions()
    plain = RecurrentSpec(spec.cell, spec.input_size, spec.hidden_size)
    stated = [(name, getattr(spec, name), getattr(plain, name)) for name in OPTIONS]
    if layer.origin == "keras":
        stated += [(name, getattr(options, name), getattr(KerasOptions(), name)) for name in KERAS_FLAGS]
    shown = [f"{name}={value!r}" for name, value, default in stated if value != default]
    if shown:
        yield f"only weights are written: build the model's layer with {', '.join(shown)}"
    yield from code_of(dict.fromkeys(str(value) for _, value, _ in stated))
    if sums_biases(layer):
        yield SUMMED_BIASES
