"""Runs a graph call by call with the live layers of the model that it was read from, and nothing else of the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from frameworks.models.graph import (
    ArrivingMask,
    Call,
    GivenMask,
    Graph,
    Layer,
    MadeMask,
    Mask,
    ReturnedMask,
    Tensor,
    replaced,
    tensors_in,
)

_RECURRENT = ("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional")


class Interpreter:
    """One run of a graph.

    Args:
        graph: the graph.
        layers: the live layers of the model, by name.
        values: the inputs, each with the tensor that it is in the graph.
        arriving: the masks that arrive with the inputs.
    """

    def __init__(
        self,
        graph: Graph,
        layers: Mapping[str, Any],
        values: Mapping[Tensor, Any],
        arriving: Mapping[Tensor, Any] | None = None,
    ) -> None:
        self.graph, self.layers, self.values = graph, layers, dict(values)
        self.arriving, self.returned = dict(arriving or {}), dict[Tensor, Any]()

    def run(self) -> Any:
        """Return the results as the graph nests them."""
        for call in self.graph.calls:
            results = list(self._results(self.graph.layers[call.layer], call))
            assert len(results) == call.outputs, (call, len(results))
            self.values |= {tensor: np.asarray(each) for tensor, each in zip(call.results, results, strict=True)}
        return replaced(self.graph.returns, self.values)

    def mask(self, mask: Mask | None) -> Any:  # noqa: PLR0911  one for each kind of mask
        """Return a mask as an array of booleans."""
        if mask is None:
            return None
        if isinstance(mask, MadeMask):
            return self._made(self.graph.layers[mask.layer], self.values[mask.read])
        if isinstance(mask, GivenMask):
            return self.values[mask.tensor]
        if isinstance(mask, ArrivingMask):
            return self.arriving.get(mask.read)
        if isinstance(mask, ReturnedMask):
            return self.returned[mask.tensor]
        masks = [self.mask(each) for each in mask.masks]
        if mask.how == "joined":
            parts = [
                np.ones(self.values[tensor].shape[:2], bool) if each is None else each
                for each, tensor in zip(masks, mask.tensors, strict=True)
            ]
            return np.concatenate(parts, mask.axis)
        if mask.how == "any":
            return masks[0].any(tuple(range(mask.axis, masks[0].ndim)))
        return (np.logical_and if mask.how == "and" else np.logical_or).reduce(masks)

    def _made(self, layer: Layer, read: Any) -> Any:
        while layer.inner is not None:
            layer = layer.inner
        if layer.kind == "Masking":
            return (read != layer.config["mask_value"]).any(-1)
        assert layer.kind == "Embedding"
        return read != 0

    def _results(self, layer: Layer, call: Call) -> Iterator[Any]:
        args = [replaced(each, self.values) for each in call.args]
        kwargs = {name: replaced(each, self.values) for name, each in call.kwargs.items()}
        masks = [self.mask(each) for each in call.masks]
        if layer.is_operation:
            yield from _flat(getattr(keras.ops, layer.kind.removeprefix("ops."))(*args, **kwargs))
        elif layer.graph is not None:
            yield from self._nested(layer.graph, layer.name, call, masks)
        else:
            live = self.layers[layer.name]
            yield from _flat(_called(live, layer.kind, args, kwargs, masks, is_keras2=self.graph.version < (3,)))

    def _nested(self, graph: Graph, name: str, call: Call, masks: list[Any]) -> Iterator[Any]:
        given = [self.values[each] for each in tensors_in(call.args)]
        inner = Interpreter(
            graph,
            _by_name(self.layers[name]),
            dict(zip(graph.inputs, given, strict=True)),
            dict(zip(graph.inputs, masks, strict=True)),
        )
        inner.run()
        for output, result in zip(graph.outputs, call.results, strict=True):
            self.returned[result] = inner.mask(graph.masks.get(output))
            yield inner.values[output]


def run(graph: Graph, model: Any, inputs: Any) -> Any:
    """Return what a graph computes with the layers of a model, from inputs in the order of the graph's."""
    return Interpreter(graph, _by_name(model), dict(zip(graph.inputs, inputs, strict=True))).run()


def _by_name(model: Any) -> dict[str, Any]:
    return {layer.name: layer for layer in model.layers}


def _called(layer: Any, kind: str, args: list[Any], kwargs: dict[str, Any], masks: list[Any], *, is_keras2: bool) -> Any:
    """Call a live layer; masks are given in the call, so that nothing depends on what a tensor carries."""
    if kind == "MultiHeadAttention":
        if not is_keras2:
            kwargs |= dict(zip(("query_mask", "value_mask", "key_mask"), masks, strict=False))
        args = [_carrying(each, mask) for each, mask in zip(args, masks, strict=True)]
    elif kind in ("Maximum", "Minimum", "Multiply") and not is_keras2:
        args = [[_carrying(each, mask) for each, mask in zip(args[0], masks, strict=True)]]
    elif kind in ("Attention", "AdditiveAttention"):
        kwargs["mask"] = masks[:2]
    elif (
        kind in (*_RECURRENT, "TimeDistributed", "GlobalAveragePooling1D", "BatchNormalization", "Softmax")
        and masks[0] is not None
    ):
        kwargs["mask"] = tf.constant(masks[0])
    if is_keras2 and "initial_state" in kwargs:
        kwargs["initial_state"] = [tf.constant(each) for each in kwargs["initial_state"]]
    return layer(*args, **kwargs)


def _carrying(value: Any, mask: Any) -> Any:
    tensor = tf.constant(value)
    if mask is not None:
        tensor._keras_mask = tf.constant(mask)
    return tensor


def _flat(value: Any) -> list[Any]:
    return [each for one in value for each in _flat(one)] if isinstance(value, (list, tuple)) else [value]
