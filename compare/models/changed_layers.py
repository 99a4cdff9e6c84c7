"""Layers that the port writes without a module, and that compute something else than those of the expected model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.models.between import Explanation
from compare.models.judged import Judged
from compare.models.recording.recorded import Recorded

Array = npt.NDArray[Any]


def changed_before(judged: Sequence[Judged], wanted: Array, reader: Recorded | None, explained: Explanation) -> str:
    """Say which layers without a module compute something else, and on which lines of the port; "" if there are none.

    Args:
        judged: the pairs before the place where the wrong result is read, in the order of the expected model's calls.
        wanted: what is read there in the expected model.
        reader: the port's call that reads the wrong result; None for the result of the port.
        explained: what is read and what must be.
    """
    names = _unpaired(judged, wanted)
    lines = _lines(judged, reader)
    if not names or (explained.known and explained.must_be and not lines):
        return ""
    layers = ", ".join(f"`{name}`" for name in names)
    where = f" at {lines}" if lines else ""
    read = f"which {reader.name} reads" if reader is not None else "which the model returns"
    begin = f"{layers}{where}, {read}, must compute the same as in the expected model"
    if explained.known and explained.must_be and explained.found and explained.must_be != explained.found:
        return f"{begin}: `{explained.must_be}`, not `{explained.found}`"
    if explained.relation:
        return f"{begin}: {explained.relation.replace('what is passed', 'the result')}"
    return f"{begin}, not `{explained.found}`" if explained.found else begin


def _unpaired(judged: Sequence[Judged], wanted: Array) -> list[str]:
    """Return the layers without a partner that made an array out of what layers with a partner return, in their order."""
    read: list[Array] = [wanted]
    names: list[str] = []
    for each in reversed(judged):
        call = each.pair.expected[-1] if each.pair.expected else None
        if call is None or not any(_same(one, two) for one in call.outputs for two in read):
            continue
        if each.pair.actual:
            read = [one for one in read if not any(_same(one, two) for two in call.outputs)]
        elif call.family.name not in ("dropout", "identity"):
            names.append(call.name)
            read += call.inputs
    return list(dict.fromkeys(reversed(names)))


def _same(one: Array, two: Array) -> bool:
    return one.shape == two.shape and np.array_equal(one, two)


def _lines(judged: Sequence[Judged], reader: Recorded | None) -> str:
    """Return the lines between the call before a reader and the reader, as "file:line" or "file:first-last"."""
    calls = [
        call for each in judged for call in each.pair.actual if call.line and (reader is None or call.index < reader.index)
    ]
    if not calls:
        return ""
    file, _, before = max(calls, key=lambda call: call.index).line.rpartition(":")
    if reader is None:
        return f"{file}, after line {before}"
    other, _, at = reader.line.rpartition(":")
    first, last = int(before) + 1, int(at or 0) - 1
    if file != other or first > last:
        return ""
    return f"{file}:{first}" if first == last else f"{file}:{first}-{last}"
