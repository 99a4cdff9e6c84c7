"""Where today's Keras would give a layer another mask than the version that wrote the model, and what is done about it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import keras

from frameworks.models.graph import Call, GivenMask, Graph, Layer, Mask, Tensor, tensors_in
from frameworks.models.reading.masks import MaskFlow

Key = tuple[str, int]
"""A layer's name and the number of one of its calls."""

TODAY = (3, 15)
"""The version of Keras whose rules are today's."""

_REPLACING = frozenset({"Multiply", "Maximum", "Minimum"})
"""Merging layers that replace the masked steps of their inputs in Keras 3, and did not in Keras 2."""


@dataclass(frozen=True)
class Plan:
    """What is done about masks in the calls of one model.

    Args:
        given: the masks to pass in a call, one for each tensor of its arguments.
        dropped: the places, among the tensors of a call's arguments, of those whose masks must not arrive.
        live: the mask that each tensor then carries in today's Keras; a tensor without one is missing.
    """

    given: dict[Key, tuple[Mask | None, ...]] = field(default_factory=dict)
    dropped: dict[Key, tuple[int, ...]] = field(default_factory=dict)
    live: Mapping[Tensor, Mask] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether today's Keras passes the same masks on by itself."""
        return not self.given and not self.dropped


def plan_masks(graph: Graph) -> Plan:
    """Compare the masks of each call with those that today's Keras passes on."""
    arriving = frozenset(at for at, each in enumerate(graph.inputs) if each in graph.masks)
    flow = MaskFlow(_as_of_today(graph), arriving)
    plan = Plan(live=flow.carried)
    for call in graph.calls:
        layer, tensors = flow.graph.layers[call.layer], list(tensors_in(call.args))
        arrives = [flow.carried.get(each) for each in tensors]
        seen = flow.follow(call).masks
        given = _decide(layer, call, arrives, seen, plan, graph.version)
        if given is not None:
            _follow_with(flow, call, tensors, given)
        if layer.graph is not None:
            _mark_others(flow, graph.layers[call.layer], call)
    return plan


def _as_of_today(graph: Graph) -> Graph:
    """Return a graph, and those in it, as if today's Keras had written it."""
    return replace(graph, version=TODAY, layers={name: _layer_of_today(each) for name, each in graph.layers.items()})


def _layer_of_today(layer: Layer) -> Layer:
    return replace(
        layer,
        graph=None if layer.graph is None else _as_of_today(layer.graph),
        inner=None if layer.inner is None else _layer_of_today(layer.inner),
    )


def _decide(
    layer: Layer, call: Call, arrives: Sequence[Any], seen: Sequence[Any], plan: Plan, version: tuple[int, ...]
) -> Sequence[Mask | None] | None:
    """Decide on one call; return the masks that its tensors then have, or None if today's Keras is left alone."""
    key, wanted = (call.layer, call.number), [*call.masks, *[None] * len(arrives)][: len(arrives)]
    replaces = layer.kind in _REPLACING and version < (3,) and any(arrives)
    if layer.is_operation or (list(seen) == wanted and not replaces) or not (replaces or takes_mask(layer)):
        return None
    if any(wanted) and not replaces:
        plan.given[key] = tuple(wanted)
        return wanted
    plan.dropped[key] = tuple(at for at, each in enumerate(arrives) if each is not None)
    return [None] * len(arrives)


def _follow_with(flow: MaskFlow, call: Call, tensors: Sequence[Tensor], masks: Sequence[Mask | None]) -> None:
    """Follow a call whose tensors have these masks."""
    before = dict(flow.carried)
    for tensor, mask in zip(tensors, masks, strict=True):
        flow.carried.pop(tensor, None)
        if mask is not None:
            flow.carried[tensor] = mask
    for result in call.results:
        flow.carried.pop(result, None)
    flow.follow(call)
    for tensor in tensors:
        flow.carried.pop(tensor, None)
    flow.carried.update({tensor: before[tensor] for tensor in tensors if tensor in before})


def _mark_others(flow: MaskFlow, layer: Layer, call: Call) -> None:
    """Mark the masks that a nested model returns in today's Keras and did not in the version that wrote it."""
    graph = layer.graph
    live = plan_masks(graph).live if graph is not None else {}
    for result, output in zip(call.results, graph.outputs if graph is not None else (), strict=False):
        if graph is not None and live.get(output) != graph.masks.get(output) and output in live:
            flow.carried[result] = GivenMask(result)


def takes_mask(layer: Layer) -> bool:
    """Return whether a layer's call in today's Keras takes a mask."""
    if layer.graph is not None:
        return True
    native: Any = getattr(keras.layers, layer.kind.removeprefix("CuDNN"), None)
    call = getattr(native, "call", None) if inspect.isclass(native) else None
    return call is not None and any("mask" in name for name in inspect.signature(call).parameters)
