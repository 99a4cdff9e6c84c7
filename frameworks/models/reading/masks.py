"""The mask that each tensor of a graph carries and that each call sees, by the rules of the version that wrote the model.

`frameworks.kinds` records how each kind of layer treats masks.

Sources: keras/src/layers/layer.py (`__call__`), merging/base_merge.py and concatenate.py; of Keras 2,
tf_keras/src/engine/base_layer.py (`_get_input_masks`), layers/merging and rnn/time_distributed.py.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from frameworks.files.keras.config import RECURRENT
from frameworks.kinds import KERAS, Masks
from frameworks.models.graph import (
    ArrivingMask,
    Call,
    GivenMask,
    Graph,
    Layer,
    MadeMask,
    Mask,
    MergedMask,
    ReturnedMask,
    Tensor,
    tensors_in,
)
from frameworks.models.reading.mask_operations import MaskOperations
from frameworks.models.reading.merged_masks import concatenated, merged
from frameworks.models.reading.order import in_order_of_keras

_NAMED = ("query_mask", "value_mask", "key_mask")
_HEADS_SEE_MASKS = (2, 10)
"""The version of Keras since which MultiHeadAttention uses the masks of its inputs."""
_HEADS_DELETE_MASKS = (3, 8)
"""The version since which MultiHeadAttention deletes the masks of its inputs, for all calls that Keras runs after it."""
_LISTS_KEEP_MASKS = (3, 4)
"""The version of Keras 3 since which a layer that reads a list of tensors passes their masks on."""
_GIVEN_MASKS_GO_ON = (3, 11)
"""The version of Keras 3 since which a mask that is given to a call, and not that of the tensor, is passed on."""

Flow = Sequence["Mask | None"]


def with_masks(graph: Graph, arriving: frozenset[int] = frozenset()) -> Graph:
    """Return a graph with the mask of each tensor and of each call; operations that only make these masks are left out.

    Args:
        graph: a graph whose calls still have the masks that the file states among their keyword arguments.
        arriving: the numbers of the inputs that arrive with a mask.
    """
    flow = MaskFlow(graph, arriving)
    followed = {(call.layer, call.number): flow.follow(call) for call in in_order_of_keras(graph.calls, graph.outputs)}
    calls = [followed[call.layer, call.number] for call in graph.calls]
    layers = {name: flow.completed(layer) for name, layer in graph.layers.items()}
    kept = list(_without_unread(calls, layers, graph.outputs, flow.carried))
    gone = {call.layer for call in calls} - {call.layer for call in kept}
    return replace(
        graph,
        layers={name: layer for name, layer in layers.items() if name not in gone},
        calls=tuple(kept),
        masks={tensor: mask for tensor, mask in flow.carried.items() if tensor.layer not in gone},
    )


@dataclass(eq=False)
class MaskFlow:
    """The masks of one graph, followed from call to call."""

    graph: Graph
    arriving: frozenset[int]
    carried: dict[Tensor, Mask] = field(default_factory=dict)
    arrived: dict[str, set[int]] = field(default_factory=dict)
    inner: dict[tuple[str, frozenset[int]], Graph] = field(default_factory=dict)

    def __post_init__(self) -> None:
        version = self.graph.version
        self.is_keras2, self.version = version < (3,), (3, sys.maxsize) if version == (3,) else version
        self.operations = MaskOperations(self.graph)
        for number in self.arriving:
            read = self.graph.inputs[number]
            self.carried[read] = ArrivingMask(read)

    def follow(self, call: Call) -> Call:
        """Return a call with the masks that it sees, and note those of its results."""
        layer, tensors = self.graph.layers[call.layer], list(tensors_in(call.args))
        kwargs = {name: value for name, value in call.kwargs.items() if name != "mask" and name not in _NAMED}
        if layer.is_operation:
            self.operations.follow(call, kwargs)
            return replace(call, kwargs=call.kwargs, masks=(None,) * len(tensors))
        flow = [self.carried.get(each) for each in tensors]
        seen, previous = self._seen(layer, call, kwargs, flow)
        results = self._results(layer, call, tensors, seen, previous)
        if layer.kind == "MultiHeadAttention" and self.version >= _HEADS_DELETE_MASKS:
            for each in tensors:
                self.carried.pop(each, None)
        self.carried |= {result: mask for result, mask in zip(call.results, results, strict=False) if mask is not None}
        return replace(call, kwargs=kwargs, masks=tuple(seen))

    def completed(self, layer: Layer) -> Layer:
        """Return a layer whose nested model has masks, too."""
        if layer.graph is not None:
            return replace(layer, graph=self._within(layer, layer.graph, frozenset(self.arrived.get(layer.name, ()))))
        if layer.inner is not None:
            return replace(
                layer, inner=self.completed(replace(layer.inner, name=layer.name)) if layer.inner.graph else layer.inner
            )
        return layer

    def _seen(self, layer: Layer, call: Call, kwargs: Mapping[str, Any], flow: Flow) -> tuple[Flow, Flow]:
        """Return the masks that the layer sees with its tensors, and those from which it makes the masks of its results."""
        if call.kwargs.get("mask") is not None:
            given = [self._given(each) for each in _flat(call.kwargs["mask"])]
            given = [*given, *[None] * len(flow)][: len(flow)]
            if layer.graph is not None and not self.is_keras2:  # inside, tensors still carry the masks that they have
                given = [each or carried for each, carried in zip(given, flow, strict=True)]
            return given, given if self.is_keras2 or self.version >= _GIVEN_MASKS_GO_ON else flow
        if layer.kind == "MultiHeadAttention":
            if self.version < _HEADS_SEE_MASKS:
                return [None] * len(flow), flow
            named = dict(enumerate(call.kwargs.get(name) for name in _NAMED))
            if self.version >= _HEADS_DELETE_MASKS:
                named.pop(0)  # the mask that the query carries counts
            return [mask if named.get(at) is None else self._given(named[at]) for at, mask in enumerate(flow)], flow
        others = [name for name, value in kwargs.items() if any(tensors_in(value))]
        if not self.is_keras2 and (others or len(call.args) > 1):
            return [None] * len(flow), flow
        return flow, flow

    def _given(self, value: Any) -> Mask | None:
        if not isinstance(value, Tensor) or self.operations.is_true(value):
            return None
        return self.operations.mask_of(value) or GivenMask(value)

    def _results(self, layer: Layer, call: Call, tensors: Sequence[Tensor], seen: Flow, previous: Flow) -> Flow:
        if layer.graph is not None:
            return self._returned(layer, layer.graph, call, seen)
        kind = KERAS.get(layer.kind)
        if kind.role == "wrapper":
            return self._wrapped(layer, call, tensors, seen, previous)
        rule = kind.masks_at(self.version) if layer.kind in KERAS.kinds else Masks.SEQUENCES
        if layer.kind in RECURRENT:
            rule = Masks.SEQUENCES
        return self._by_rule(rule, layer, tensors, previous)

    def _by_rule(self, rule: Masks, layer: Layer, tensors: Sequence[Tensor], previous: Flow) -> Flow:
        if (3,) <= self.version < _LISTS_KEEP_MASKS and len(previous) > 1 and layer.kind != "MultiHeadAttention":
            return []
        first = previous[0] if previous else None
        if rule is Masks.MAKE:
            return [MadeMask(layer.name, tensors[0])] if tensors and makes_mask(layer) else []
        if rule in (Masks.ANY, Masks.ALL):
            how = "and" if self.is_keras2 else "or"
            if layer.kind == "Concatenate":
                return [concatenated(how, previous, tensors, layer.config.get("axis", -1), self.graph.shapes)]
            return [merged(how, previous)]
        if rule is Masks.SEQUENCES:
            inner = layer.config.get("layer") if layer.kind == "Bidirectional" else None
            flags = inner.get("config", {}) if isinstance(inner, Mapping) else layer.config
            halves = 2 if layer.kind == "Bidirectional" and layer.config.get("merge_mode", "concat") is None else 1
            return [first] * halves if flags.get("return_sequences") is True else []
        return [first] if rule is Masks.KEEP else []

    def _wrapped(self, layer: Layer, call: Call, tensors: Sequence[Tensor], seen: Flow, previous: Flow) -> Flow:
        """Return the masks of the results of a layer that applies another one to each step."""
        shape = self.graph.shapes.get(tensors[0]) if tensors else None
        by_step = self.is_keras2 and shape is not None and shape[0] is not None
        inner = layer.inner
        while inner is not None and inner.inner is not None:
            inner = inner.inner
        results: Flow = previous[:1]
        if inner is not None and inner.graph is not None:
            returned = self._returned(layer, inner.graph, call, [None] * len(seen) if by_step else seen)
            results = returned if self.is_keras2 and not by_step else results
        elif inner is not None and self.is_keras2 and not by_step:
            results = self._results(replace(inner, name=layer.name), call, tensors, seen, previous)
        if self.is_keras2 and not by_step and not any(results) and any(previous[:1]):
            return [MergedMask("any", tuple(previous[:1]), axis=2)]
        return results

    def _returned(self, layer: Layer, graph: Graph, call: Call, seen: Flow) -> Flow:
        """Return the masks of the results of a nested model."""
        arriving = frozenset(at for at, mask in enumerate(seen[: len(graph.inputs)]) if mask is not None)
        self.arrived.setdefault(layer.name, set()).update(arriving)
        within = self._within(layer, graph, arriving)
        by_input = dict(zip(graph.inputs, seen, strict=False))
        return [
            self._outside(within.masks.get(output), by_input, result)
            for output, result in zip(graph.outputs, call.results, strict=False)
        ]

    def _outside(self, mask: Mask | None, by_input: Mapping[Tensor, Mask | None], result: Tensor) -> Mask | None:
        """Return the mask of a nested model's output by what its call sees."""
        if mask is None:
            return None
        if isinstance(mask, ArrivingMask):
            return by_input.get(mask.read)
        return ReturnedMask(result)

    def _within(self, layer: Layer, graph: Graph, arriving: frozenset[int]) -> Graph:
        key = layer.name, arriving
        if key not in self.inner:
            self.inner[key] = with_masks(graph, arriving)
        return self.inner[key]


def makes_mask(layer: Layer) -> bool:
    """Return whether a layer of a kind that can make a mask does so."""
    kind = KERAS.get(layer.kind)
    if kind.masks is not Masks.MAKE:
        return False
    default = kind.default(kind.mask_option)
    return layer.config.get(kind.mask_option, default) is True if isinstance(default, bool) else True


def _flat(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _without_unread(
    calls: Sequence[Call], layers: Mapping[str, Layer], outputs: Iterable[Tensor], carried: Mapping[Tensor, Mask]
) -> Iterable[Call]:
    """Return the calls without those of operations whose results nothing reads."""
    read = set(outputs)
    for output in outputs:
        read |= set(_tensors_of(carried.get(output)))
    kept = []
    for call in reversed(calls):
        if layers[call.layer].is_operation and not read.intersection(call.results):
            continue
        kept.append(call)
        read.update(call.reads)
        for mask in call.masks:
            read |= set(_tensors_of(mask))
    return reversed(kept)


def _tensors_of(mask: Mask | None) -> Iterable[Tensor]:
    """Yield the tensors from which a mask is computed."""
    waiting = [mask]
    while waiting:
        one = waiting.pop()
        if isinstance(one, (MadeMask, ArrivingMask)):
            yield one.read
        elif isinstance(one, (GivenMask, ReturnedMask)):
            yield one.tensor
        elif isinstance(one, MergedMask):
            yield from one.tensors
            waiting.extend(one.masks)
