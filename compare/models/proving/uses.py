"""What a model does with each of its inputs, so far as it decides which numbers may be drawn for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.models.graph import Call, Graph, Layer, Tensor, tensors_in


@dataclass
class Use:
    """What a model does with one input.

    Args:
        sizes: the number of rows of each Embedding that looks its numbers up.
        masks: whether a mask is made of it.
        mask_value: the number that stands for a masked step.
    """

    sizes: list[int] = field(default_factory=list)
    masks: bool = False
    mask_value: float = 0.0

    def add(self, layer: Layer, call: Call) -> None:
        """Take note of a layer that reads the input."""
        if layer.kind == "Embedding":
            self.sizes.append(int(layer.config["input_dim"]))
            self.masks = self.masks or bool(layer.config.get("mask_zero"))
        elif layer.kind == "Masking":
            self.masks, self.mask_value = True, float(layer.config.get("mask_value") or 0.0)
        elif layer.kind == "ops.not_equal":
            numbers = [each for each in (*call.args, *call.kwargs.values()) if isinstance(each, (int, float))]
            self.masks, self.mask_value = True, float(numbers[0]) if numbers else 0.0


def use_of(graph: Graph, tensor: Tensor) -> Use:
    """Return what the layers do that read an input, also through layers without weights and in nested models."""
    use = Use()
    for layer, call in _readers(graph, tensor, set()):
        use.add(layer, call)
    return use


def is_mask(graph: Graph, tensor: Tensor) -> bool:
    """Return whether an input is itself a mask."""
    return graph.dtypes.get(tensor) == "bool"


def _readers(graph: Graph, tensor: Tensor, seen: set[Any]) -> Iterator[tuple[Layer, Call]]:
    if (id(graph), tensor) in seen:
        return
    seen.add((id(graph), tensor))
    for call in graph.calls:
        if tensor not in call.reads:
            continue
        layer = graph.layers[call.layer]
        inner = _innermost(layer)
        if inner.graph is not None:
            for at, each in enumerate(tensors_in(call.args)):
                if each == tensor and at < len(inner.graph.inputs):
                    yield from _readers(inner.graph, inner.graph.inputs[at], seen)
            continue
        yield inner, call
        if _is_without_weights(inner):
            for result in call.results:
                yield from _readers(graph, result, seen)


def _innermost(layer: Layer) -> Layer:
    while layer.inner is not None:
        layer = layer.inner
    return layer


def _is_without_weights(layer: Layer) -> bool:
    if isinstance(layer.stored, StoredLayer):
        return False
    return not (isinstance(layer.stored, OtherLayer) and layer.stored.stored) and not layer.gap
