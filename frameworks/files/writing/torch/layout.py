"""Layers as arrays under torch's names, with a description of their meaning."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from frameworks import kinds
from frameworks.counterparts import find_limits
from frameworks.errors import InvalidValueError, NoCounterpartError
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.untrusted.source import StoredArray
from frameworks.files.writing.blocks import Tensor, cell_tensors, reshaped, transposed, unchanged
from frameworks.files.writing.constructors import in_pytorch
from frameworks.files.writing.naming import DESCRIPTION, EMULATED, fits_torch, places, prefix_of
from frameworks.files.writing.outcome import Layer, Written
from frameworks.files.writing.sidecar import describe
from frameworks.files.writing.torch.other_layers import caveats_of, spell
from frameworks.layouts import PYTORCH


@dataclass(frozen=True)
class Laid:
    """The contents of a file in torch's layout.

    Args:
        tensors: the arrays, by name.
        description: the JSON that describes their meaning.
        written: the outcome of each layer.
    """

    tensors: Mapping[str, Tensor]
    description: str
    written: list[Written]


def lay_out(layers: list[Layer]) -> Laid:
    """Lay out all layers as arrays under torch's names.

    Raises:
        GatewiseError: for two arrays with the same name.
    """
    tensors: dict[str, Tensor] = {}
    names: dict[str, dict[str, str]] = {}
    classes: dict[str, str] = {}
    written = []
    for layer in layers:
        if isinstance(layer, StoredLayer):
            named = dict(_recurrent(layer))
            written.append(_recurrent_outcome(layer))
        else:
            module, own = _other(layer)
            classes[layer.name] = module or layer.kind
            names[layer.name] = {array: f"{prefix_of(layer.name)}{array}" for array in own}
            named = {names[layer.name][array]: tensor for array, tensor in own.items()}
            written.append(_other_outcome(layer, module))
        for name, tensor in named.items():
            if name in tensors or name == DESCRIPTION:
                raise InvalidValueError.because(
                    f"the array {name} of {layer.name}",
                    must="have a name of its own in the file",
                    but="has the name of another array",
                    remedy="Give the layers other names.",
                )
            tensors[name] = tensor
    return Laid(tensors, describe(layers, names, classes), written)


def _recurrent(layer: StoredLayer) -> Iterator[tuple[str, Tensor]]:
    for index, direction, before, behind in places(layer):
        for name, tensor in cell_tensors(layer.cells[index][direction], PYTORCH).items():
            yield f"{before}{name}{behind}", tensor


def _other(layer: OtherLayer) -> tuple[str, dict[str, Tensor]]:
    """Return the torch.nn module for a layer and its arrays in its layout; "" and the arrays unchanged if none fits."""
    module = kinds.PYTORCH.meaning(layer.kind)
    tensors = _as_module(layer, module) if module and layer.known else None
    if module is None or tensors is None:
        return "", {name: unchanged(array) for name, array in layer.stored.items()}
    return module.name, tensors


def _as_module(layer: OtherLayer, module: kinds.Kind) -> dict[str, Tensor] | None:
    """Return the arrays of a Keras layer in a module's layout, or None if the module cannot hold them."""
    kind = kinds.KERAS.get(layer.kind)
    if kind.sizes({name: array.shape for name, array in layer.stored.items()}) is None:
        return None
    tensors: dict[str, Tensor] = {}
    for name, stored in layer.stored.items():
        source, target = kind.array(name), module.meaning(name)
        tensor = _laid(stored, source, target) if source and target else None
        if target is None or tensor is None:
            return None
        tensors[target.name] = tensor
    return tensors


def _laid(stored: StoredArray, source: kinds.Array, target: kinds.Array) -> Tensor | None:
    """Return a Keras array with the axes of the torch array, or None if that cannot hold it."""
    if source.shared:  # nn.PReLU has one slope per channel, the last axis in Keras
        count = math.prod(stored.shape)
        return reshaped(stored, (count,)) if stored.shape[-1:] == (count,) else None
    axes = kinds.permutation(source, target)
    return transposed(stored, axes) if axes else unchanged(stored)


def _recurrent_outcome(layer: StoredLayer) -> Written:
    place = next(places(layer))[2]
    if not fits_torch(layer):
        caveat = f"{_why_not(layer)}; its arrays are under `{EMULATED}`, so that no torch.nn module loads them"
        return Written(layer.name, layer.class_name, "weights for .emulate", place, (caveat,))
    first, two = layer.cells[0][0].spec, len(layer.cells[0]) == 2
    calls = find_limits(replace(first, bidirectional=two), "pytorch", layer.options)
    caveats = tuple(f"{limit.field}={value!r}: {limit.why}" for limit, value in calls)
    return Written(layer.name, layer.class_name, in_pytorch(layer), place, caveats)


def _why_not(layer: StoredLayer) -> str:
    try:
        limit, value = next(find_limits(layer.spec, "pytorch"))
    except NoCounterpartError:
        return "its cells differ"
    return f"{limit.field}={value!r}: {limit.why}"


def _other_outcome(layer: OtherLayer, module: str) -> Written:
    if module and layer.stored:
        caveats = tuple(caveats_of(layer, module))
        return Written(layer.name, layer.kind, spell(layer, module), prefix_of(layer.name), caveats)
    becomes = "its arrays as they are" if layer.stored else "nothing: it has no arrays"
    caveats = () if layer.known or not layer.stored else ("the meaning of its arrays is not known",)
    return Written(layer.name, layer.kind or "arrays", becomes, prefix_of(layer.name), caveats)
