"""The order of calls: each one after those whose results it reads.

Source: `map_graph` in keras/src/ops/function.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush

from frameworks.errors import InvalidValueError
from frameworks.models.graph import Call, Tensor


def in_order(calls: Sequence[Call], subject: str) -> list[Call]:
    """Return calls in an order in which each one's inputs are computed before it, otherwise as they are.

    Raises:
        GatewiseError: for calls that wait for each other.
    """
    by_result = {(call.layer, call.number): index for index, call in enumerate(calls)}
    waiting = [
        {by_result[each.layer, each.call] for each in call.reads if (each.layer, each.call) in by_result} for call in calls
    ]
    readers: list[list[int]] = [[] for _ in calls]
    for index, needed in enumerate(waiting):
        for each in needed:
            readers[each].append(index)
    ready = [index for index, needed in enumerate(waiting) if not needed]
    heapify(ready)
    ordered = []
    while ready:
        index = heappop(ready)
        ordered.append(calls[index])
        for each in readers[index]:
            waiting[each].discard(index)
            if not waiting[each]:
                heappush(ready, each)
    if len(ordered) < len(calls):
        left = list(dict.fromkeys(call.layer for call, needed in zip(calls, waiting, strict=True) if needed))
        names = ", ".join(name[:50] for name in left[:5]) + (f" and {len(left) - 5} more" if left[5:] else "")
        raise InvalidValueError.because(
            subject,
            must="be wired without cycles",
            but=f"has calls that wait for each other, of {names}",
            remedy="Check that the architecture belongs to a model that Keras built.",
        )
    return ordered


def in_order_of_keras(calls: Sequence[Call], outputs: Sequence[Tensor]) -> list[Call]:
    """Return calls in the order in which Keras runs them: by their distance from the outputs.

    Args:
        calls: the calls, each one after those whose results it reads.
        outputs: the outputs of the model.
    """
    by_result = {(call.layer, call.number): index for index, call in enumerate(calls)}
    parents = [[by_result[key] for each in call.reads if (key := (each.layer, each.call)) in by_result] for call in calls]
    depths: dict[int, int] = {}
    of_layers: dict[str, int] = {}
    ends = [by_result[key] for each in outputs if (key := (each.layer, each.call)) in by_result]
    for index in reversed(list(_from_inputs(ends, parents))):
        layer = calls[index].layer
        depths.setdefault(index, 0)
        depths[index] = of_layers[layer] = max(depths[index], of_layers.get(layer, 0))
        for parent in parents[index]:
            depths[parent] = max(depths[index] + 1, depths.get(parent, 0))
    reached = sorted(depths, key=lambda index: -depths[index])
    return [calls[index] for index in (*reached, *(each for each in range(len(calls)) if each not in depths))]


def _from_inputs(ends: Sequence[int], parents: Sequence[Sequence[int]]) -> Iterator[int]:
    """Yield the calls that some depend on, each after those that it reads, in the order of a search from the outputs."""
    seen: set[int] = set()
    waiting = [(index, False) for index in reversed(ends)]
    while waiting:
        index, is_done = waiting.pop()
        if is_done:
            yield index
        elif index not in seen:
            seen.add(index)
            waiting.append((index, True))
            waiting.extend((parent, False) for parent in reversed(parents[index]) if parent not in seen)
