"""The order of calls: each one after those whose results it reads."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from frameworks.errors import InvalidValueError
from frameworks.models.graph import Call


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
