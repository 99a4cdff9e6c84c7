"""The layers to be written, and the outcome of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from frameworks import registry
from frameworks.adapter import Adapter
from frameworks.copying import fill
from frameworks.errors import InvalidTypeError
from frameworks.files.checkpoint import Checkpoint
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredCell, StoredLayer
from frameworks.files.untrusted.source import in_memory
from frameworks.layouts import PYTORCH
from frameworks.whole_models import WholeModelError, to_write

Layer = StoredLayer | OtherLayer


@dataclass(frozen=True)
class Written:
    """The outcome of writing a layer.

    Args:
        name: the layer's name.
        kind: its class in the source.
        becomes: its class or call in the file; "" if the file does not contain it.
        place: the prefix of its arrays' names in the file.
        caveats: what the file does not store, and other remarks.

    Example:
        >>> written = save_checkpoint("encoder.pt", {"encoder": open_checkpoint("model.npz")["encoder"]})
        >>> written[0].kind, written[0].becomes, written[0].place
        ('LSTM', 'nn.LSTM(3, 4)', 'encoder.')
    """

    name: str
    kind: str
    becomes: str
    place: str = ""
    caveats: tuple[str, ...] = ()


def layers_of(given: Mapping[str, Any]) -> list[Layer]:
    """Return the layers to be written, under the names in the mapping; of a checkpoint also its other layers, in its order.

    Raises:
        GatewiseError: for a value that is not a layer, or that `adapt` rejects.
    """
    if not isinstance(given, Mapping):
        raise InvalidTypeError.because(
            "layers", must="be a mapping from name to layer", but=f"is {type(given).__name__}", remedy="Write {'lstm': layer}."
        )
    whole = isinstance(given, Checkpoint)
    pairs = given.in_order if isinstance(given, Checkpoint) else given.items()
    return [_named(name, layer, whole=whole) for name, layer in pairs]


def _named(name: str, layer: Any, *, whole: bool) -> Layer:
    if isinstance(layer, (StoredLayer, OtherLayer)):
        # A selection of layers is written as a separate model, with other places.
        return replace(layer, name=name, place=layer.place if whole else "")
    try:
        return _stored_layer(name, registry.adapt(layer))
    except WholeModelError as error:
        raise to_write(error) from None


def _stored_layer(name: str, adapter: Adapter) -> StoredLayer:
    """Copy a live layer into a StoredLayer."""
    spec = adapter.spec
    cells = tuple(
        tuple(_stored_cell(adapter, layer, direction) for direction in range(spec.num_directions))
        for layer in range(spec.num_layers)
    )
    return StoredLayer(
        name=name,
        origin="pytorch" if adapter.options is None else "keras",
        class_name=type(adapter.native).__name__,
        cells=cells,
        options=adapter.options,
        arguments=MappingProxyType(_arguments(adapter)),
    )


def _arguments(adapter: Adapter) -> dict[str, Any]:
    order = getattr(adapter.native, "batch_first", None)
    arguments = {"batch_first": order if adapter.options is None else None, "dropout": adapter.dropout or None}
    return {name: value for name, value in arguments.items() if value is not None}


def _stored_cell(adapter: Adapter, layer: int, direction: int) -> StoredCell:
    spec = adapter.spec
    one = replace(spec, input_size=spec.layer_input_size(layer), num_layers=1, bidirectional=False)
    arrays = {name: np.empty(shape, spec.dtype) for name, shape in PYTORCH.shapes(one, 0).items()}
    fill(arrays, PYTORCH, one, 0, adapter.read(layer, direction))
    rates = {} if adapter.options is None else {n: getattr(adapter.options, n) for n in ("dropout", "recurrent_dropout")}
    return StoredCell(one, PYTORCH, MappingProxyType({name: in_memory(array) for name, array in arrays.items()}), **rates)
