"""What today's Keras computes otherwise than the version that wrote a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from frameworks.models.graph import Call, Graph, Layer, Mask
from frameworks.models.keras.masks import Plan

NOT_COMPILED = "a loss, metrics and an optimizer in the file are not written: compile the model before you train it further"
"""The caveat of every model."""

_OTHER_LOSS = (
    "Keras 3 passes another mask to the output {name} than the version that wrote the file: a loss that Keras masks is computed"
    " otherwise in training"
)


def of_call(layer: Layer, call: Call, plan: Plan, graph: Graph) -> Iterator[str]:
    """Yield remarks about one call of a layer."""
    key = (call.layer, call.number)
    before_3 = graph.version < (3,)
    if key in plan.given:
        yield "its mask is passed in its call: by itself, Keras 3 would give it another one"
    if key in plan.dropped:
        yield "no mask arrives at it, as in the version that wrote the file: by itself, Keras 3 would give it one"
    if call.kwargs.get("training") is True:
        yield "it is called with training=True, which holds in Keras 3 for model(x), but not for predict"
    if layer.kind == "Bidirectional" and call.mask is not None and graph.version < (2, 3) and _returns_sequences(layer):
        yield "at masked steps it repeated the last output before Keras 2.3; in Keras 3 its output is zero there"
    if layer.kind == "BatchNormalization" and call.mask is not None and before_3:
        yield "in training, Keras 3 leaves masked steps out of its statistics; the version that wrote the file counted them"


def of_model(plan: Plan, graph: Graph) -> Iterator[str]:
    """Yield remarks about the outputs of a model."""
    for each in graph.outputs:
        wanted: Mask | None = graph.masks.get(each)
        if plan.live.get(each) != wanted:
            yield _OTHER_LOSS.format(name=each.layer)


def _returns_sequences(layer: Layer) -> bool:
    inner: Any = layer.config.get("layer")
    return isinstance(inner, dict) and inner.get("config", {}).get("return_sequences") is True
