"""Where today's Keras would give a layer another mask than the version that wrote the model, and what is done about it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import keras

from frameworks.kinds import KERAS, Masks
from frameworks.models.graph import ArrivingMask, Call, Graph, Layer, MadeMask, Mask, MergedMask, ReturnedMask, Tensor, tensors_in

Key = tuple[str, int]
"""A layer's name and the number of one of its calls."""

_REPLACING = frozenset({"Multiply"})
"""Merging layers that replace the masked steps of their inputs in today's Keras, and did not in Keras 2."""


@dataclass(frozen=True)
class Plan:
    """What is done about masks in the calls of one model.

    Args:
        given: the masks to pass in a call, one for each tensor of its arguments; of calls in which today's own differ.
        dropped: the tensors whose masks must not arrive, by their places among the tensors of a call's arguments.
        live: the masks that tensors carry in today's Keras.
    """

    given: dict[Key, tuple[Mask | None, ...]] = field(default_factory=dict)
    dropped: dict[Key, tuple[int, ...]] = field(default_factory=dict)
    live: dict[Tensor, Mask | None] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether today's Keras passes the same masks on by itself."""
        return not self.given and not self.dropped


def plan_masks(graph: Graph) -> Plan:
    """Compare the masks of each call with those that today's Keras passes on."""
    plan = Plan()
    plan.live.update({each: graph.masks.get(each) for each in graph.inputs})
    for call in graph.calls:
        layer = graph.layers[call.layer]
        tensors = list(tensors_in(call.args))
        live = [plan.live.get(each) for each in tensors]
        wanted = [*call.masks, *[None] * len(tensors)][: len(tensors)]
        seen = _treated(layer, call, live, wanted, plan, graph.version)
        for result, mask in zip(call.results, _after(layer, call, seen), strict=False):
            plan.live[result] = mask
    return plan


def takes_mask(layer: Layer) -> bool:
    """Return whether a layer's call in today's Keras takes a mask."""
    if layer.graph is not None:
        return True
    native = getattr(keras.layers, layer.kind, None)
    return inspect.isclass(native) and any("mask" in name for name in inspect.signature(native.call).parameters)


def _treated(
    layer: Layer, call: Call, live: Sequence[Mask | None], wanted: Sequence[Mask | None], plan: Plan, version: tuple[int, ...]
) -> list[Mask | None]:
    """Decide on one call, and return the masks that its tensors arrive with."""
    key = (call.layer, call.number)
    if layer.is_operation:
        return list(live)
    if layer.kind in _REPLACING and version < (3,):
        plan.dropped.update({key: places} if (places := tuple(n for n, each in enumerate(live) if each)) else {})
        return [None] * len(live)
    if not takes_mask(layer):
        return list(live)
    alone = any(tensors_in(dict(call.kwargs)))  # then today's Keras gives the layer no mask by itself
    own = [None] * len(live) if alone else live
    if list(own) == list(wanted):
        return list(live)
    if any(wanted):
        plan.given[key] = tuple(wanted)
        return list(wanted)
    plan.dropped[key] = tuple(n for n, each in enumerate(live) if each)
    return [None] * len(live)


def _after(layer: Layer, call: Call, seen: Sequence[Mask | None]) -> list[Mask | None]:
    """Return the masks of a call's results in today's Keras."""
    record, none = KERAS.get(layer.kind), [None] * call.outputs
    first = seen[0] if seen else None
    if layer.is_operation:
        return list(none)
    if layer.graph is not None:
        return [ReturnedMask(each) if _returns(layer.graph, at, any(seen)) else None for at, each in enumerate(call.results)]
    match record.masks_at():
        case Masks.MAKE:
            made = record.role != "input" and _makes(layer)
            return [MadeMask(layer.name, next(tensors_in(call.args)))] if made else none
        case Masks.KEEP:
            return [first] * call.outputs
        case Masks.ALL:
            return [_merged(seen)] if all(seen) and seen else none
        case Masks.ANY:
            return [_joined(layer, call, seen)] if any(seen) else none
        case Masks.SEQUENCES if _of_inner(layer).get("return_sequences") is True:
            halves = 1 + (layer.kind == "Bidirectional" and layer.config.get("merge_mode", "concat") is None)
            return [first] * halves + none[halves:]
    return list(none)


def _returns(graph: Graph, at: int, arrives: bool) -> bool:
    """Return whether an output of a nested model carries a mask in today's Keras."""
    live = plan_masks(graph).live.get(graph.outputs[at])
    return live is not None and (arrives or not isinstance(live, ArrivingMask))


def _makes(layer: Layer) -> bool:
    record = KERAS.get(layer.kind)
    default = record.default(record.mask_option)
    return layer.config.get(record.mask_option, default) is True if isinstance(default, bool) else True


def _merged(seen: Sequence[Mask | None]) -> Mask | None:
    return MergedMask("or", tuple(seen)) if len(set(seen)) > 1 else seen[0]


def _joined(layer: Layer, call: Call, seen: Sequence[Mask | None]) -> Mask:
    axis, tensors = layer.config.get("axis", -1), tuple(tensors_in(call.args))
    return MergedMask("joined", tuple(seen), tensors, axis) if axis == 1 else MergedMask("or", tuple(seen))


def _of_inner(layer: Layer) -> Mapping[str, object]:
    """Return the options of a recurrent layer; of Bidirectional those of the layer that it runs."""
    inner = layer.config.get(KERAS.get(layer.kind).inner)
    config = inner.get("config") if isinstance(inner, Mapping) else layer.config
    return config if isinstance(config, Mapping) else {}
