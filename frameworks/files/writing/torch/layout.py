"""Layers as arrays under torch's names, with the description of what they mean."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from frameworks.counterparts import LAYER_NAMES, find_limits
from frameworks.errors import InvalidValueError, NoCounterpartError
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.writing.blocks import Tensor, cell_tensors, reshaped, transposed, unchanged
from frameworks.files.writing.naming import DESCRIPTION, EMULATED, MODULES, fits_torch, places, prefix_of
from frameworks.files.writing.outcome import Layer, Written
from frameworks.files.writing.sidecar import describe
from frameworks.files.writing.torch.other_layers import beware_of, spell
from frameworks.layouts import PYTORCH


@dataclass(frozen=True)
class Laid:
    """What a file in torch's layout holds.

    Args:
        tensors: by their names.
        description: JSON of what they mean.
        written: what became of each layer.
    """

    tensors: Mapping[str, Tensor]
    description: str
    written: list[Written]


def lay_out(layers: list[Layer]) -> Laid:
    """Name the arrays of all layers as torch does.

    Raises:
        GatewiseError: for two arrays of one name.
    """
    tensors: dict[str, Tensor] = {}
    names: dict[str, dict[str, str]] = {}
    kinds: dict[str, str] = {}
    written = []
    for layer in layers:
        if isinstance(layer, StoredLayer):
            found = dict(_recurrent(layer))
            written.append(_tell_recurrent(layer))
        else:
            module, own = _beside(layer)
            kinds[layer.name] = module or layer.kind
            names[layer.name] = {array: f"{prefix_of(layer.name)}{array}" for array in own}
            found = {names[layer.name][array]: tensor for array, tensor in own.items()}
            written.append(_tell_beside(layer, module))
        for name, tensor in found.items():
            if name in tensors or name == DESCRIPTION:
                raise InvalidValueError.because(
                    f"the array {name} of {layer.name}",
                    must="have a name of its own in the file",
                    but="has that of another array",
                    remedy="Give the layers other names.",
                )
            tensors[name] = tensor
    return Laid(tensors, describe(layers, names, kinds), written)


def _recurrent(layer: StoredLayer) -> Iterator[tuple[str, Tensor]]:
    for index, direction, before, behind in places(layer):
        for name, tensor in cell_tensors(layer.cells[index][direction], PYTORCH).items():
            yield f"{before}{name}{behind}", tensor


def _beside(layer: OtherLayer) -> tuple[str, dict[str, Tensor]]:
    """Give the module of torch.nn that a layer is, "" for none, and its arrays by their names there; as they are for none."""
    module = MODULES.get(layer.kind)
    known = layer.known and module is not None and set(layer.stored) <= set(module.arrays) and module.holds(layer.stored)
    if module is None or not known or (layer.kind == "PReLU" and not _is_channelwise(layer)):
        return "", {name: unchanged(array) for name, array in layer.stored.items()}
    found = {}
    for name, array in layer.stored.items():
        there, axes = module.arrays[name]
        found[there] = transposed(array, axes) if axes else unchanged(array)
    if layer.kind == "PReLU":
        (alpha,) = layer.stored.values()
        found["weight"] = reshaped(alpha, (math.prod(alpha.shape),))
    return module.name, found


def _is_channelwise(layer: OtherLayer) -> bool:
    """Tell whether a PReLU has one slope a channel, its last axis: nn.PReLU holds nothing else."""
    return all(array.shape[-1:] == (math.prod(array.shape),) for array in layer.stored.values())


def _tell_recurrent(layer: StoredLayer) -> Written:
    place = next(places(layer))[2]
    if not fits_torch(layer):
        beware = f"{_why_not(layer)}; so its arrays lie under `{EMULATED}`, where no module of torch.nn finds them"
        return Written(layer.name, layer.class_name, "weights for .emulate", place, (beware,))
    first, count, two = layer.cells[0][0].spec, len(layer.cells), len(layer.cells[0]) == 2
    further: dict[str, tuple[Any, Any]] = {
        "num_layers": (count, 1),
        "bidirectional": (two, False),
        "bias": (first.bias, True),
        "nonlinearity": (first.activation, "tanh"),
        "proj_size": (layer.arguments.get("proj_size", 0), 0),
    }
    arguments = [f"{name}={value!r}" for name, (value, default) in further.items() if value != default]
    kind = LAYER_NAMES["pytorch"][first.cell] + "Cell" * layer.is_cell
    becomes = f"{kind}({', '.join([str(first.input_size), str(first.hidden_size), *arguments])})"
    calls = find_limits(replace(first, bidirectional=two), "pytorch", layer.options)
    beware_of = tuple(f"{limit.field}={value!r}: {limit.why}" for limit, value in calls)
    return Written(layer.name, layer.class_name, becomes, place, beware_of)


def _why_not(layer: StoredLayer) -> str:
    try:
        limit, value = next(find_limits(layer.spec, "pytorch"))
    except NoCounterpartError:
        return "its cells differ"
    return f"{limit.field}={value!r}: {limit.why}"


def _tell_beside(layer: OtherLayer, module: str) -> Written:
    if module and layer.stored:
        beware = tuple(beware_of(layer, module))
        return Written(layer.name, layer.kind, spell(layer, module), prefix_of(layer.name), beware)
    becomes = "its arrays as they are" if layer.stored else "nothing: it has no arrays"
    beware = () if layer.known else ("what its arrays mean is not known",)
    return Written(layer.name, layer.kind or "?", becomes, prefix_of(layer.name), beware)
