"""Whether the weights of a graph's layers have the names and shapes that their options state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from frameworks.errors import GatewiseError, InvalidValueError
from frameworks.files.other_layers import OtherLayer
from frameworks.kinds import KERAS, Kind, options_of
from frameworks.models.graph import Graph, Layer
from frameworks.showing import shortened


def require_fitting(graph: Graph) -> None:
    """Raise an error for weights that contradict the options of their layer; recurrent layers are checked when they are read.

    Raises:
        InvalidValueError: for the first such layer.
    """
    for layer in graph.all_layers():
        if isinstance(layer.stored, OtherLayer) and layer.kind in KERAS.kinds and not layer.gap:
            _require(layer, layer.stored, graph.version)


def _require(layer: Layer, stored: OtherLayer, version: tuple[int, ...]) -> None:
    kind = KERAS.get(layer.kind)
    expected = kind.arrays_with(layer.config, version)
    if expected is None:
        return
    try:
        options = options_of(layer.kind, layer.config, version)
    except GatewiseError:  # whoever ports the layer names the option
        return
    shapes = {name: array.shape for name, array in stored.stored.items()}
    for fault in _faults(kind, [array.name for array in expected], options, shapes):
        raise InvalidValueError.because(
            f"the weights of {shortened(layer.kind, 60)} {shortened(layer.name, 100)!r}",
            must="fit its options",
            but=fault,
            remedy="Check that the architecture belongs to these weights.",
        )


def _faults(
    kind: Kind, expected: Sequence[str], options: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]
) -> Iterator[str]:
    """Yield what contradicts the options, as the second half of a message."""
    listed = ", ".join(f"{shortened(name, 60)} {shape}" for name, shape in shapes.items()) or "none"
    if not set(expected) <= shapes.keys():
        yield f"are {listed}, where {', '.join(expected)} are expected"
    if any(array.name in shapes and array.sizes(shapes[array.name]) is None for array in kind.arrays or ()):
        return  # as a MultiHeadAttention whose output has several axes
    sizes = kind.sizes(shapes, options.get("groups"))
    if sizes is None:
        yield f"are {listed}, whose sizes contradict each other"
        return
    for name, size in kind.stated_sizes(sizes).items():
        stated = options[name]
        if stated is not None and _each(stated, size) != size:
            yield f"have the shapes of {name}={size}, and the architecture states {name}={shortened(str(stated), 60)}"


def _each(stated: Any, size: Any) -> Any:
    """Return an option as a number, or as a number for each axis, as the size is."""
    if isinstance(size, tuple):
        return tuple(stated) if isinstance(stated, (list, tuple)) else (stated,) * len(size)
    return stated[0] if isinstance(stated, (list, tuple)) and len(stated) == 1 else stated
