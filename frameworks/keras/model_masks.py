"""The mask that a layer gets in the functional or sequential model that it was called in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def mask_in_model(layer: Any) -> str:
    """Return the name of the layer that made the mask, or "" if the layer gets no mask in any model.

    A model that is built by calling it, such as a subclassed one, leaves no record of its masks.
    """
    for node in getattr(layer, "_inbound_nodes", ()):
        for tensor in _masks(node):
            return _maker(tensor)
    return ""


def _masks(node: Any) -> Iterator[Any]:
    """Yield the inputs of a call that carry a mask, and the mask that was passed by name."""
    named = getattr(getattr(node, "arguments", None), "kwargs", None) or getattr(node, "call_kwargs", {})
    for tensor in _inputs(node):
        if getattr(tensor, "_keras_mask", None) is not None:
            yield tensor
    if named.get("mask") is not None:
        yield named["mask"]


def _maker(tensor: Any) -> str:
    """Follow a mask back to the layer that made it: the one whose own inputs carry none."""
    made_by = _layer_of(tensor)
    for node in getattr(made_by, "_inbound_nodes", ())[:1]:
        for before in _inputs(node):
            if getattr(before, "_keras_mask", None) is not None:
                return _maker(before)
    return str(getattr(made_by, "name", "a tensor without a layer"))


def _layer_of(tensor: Any) -> Any:
    history = getattr(tensor, "_keras_history", None)
    return getattr(history, "operation", None) or getattr(history, "layer", None)


def _inputs(node: Any) -> list[Any]:
    """Return the tensors that a call got: `keras_inputs` in tf_keras, `input_tensors` in Keras 3."""
    return list(node.keras_inputs if hasattr(node, "keras_inputs") else node.input_tensors)
