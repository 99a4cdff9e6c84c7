"""What a Keras layer's own call returns, held against what the return-value map makes of the other side's results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.calls import Call
from compare.difference import Difference, measure
from compare.returns import returns_map
from compare.verdict import Comparison, Where
from frameworks import RecurrentOutput
from frameworks.adapter import Adapter

Array = npt.NDArray[Any]


def compare_own_call(side: Adapter, role: str, other: RecurrentOutput, call: Call, tolerance: float) -> Iterator[Comparison]:
    """Compare every array of a Keras layer's own call; nothing for a layer that has no such call.

    Args:
        side: the layer.
        role: "expected" or "actual", for the names of the comparisons.
        other: the other side's results, in input time order.
        call: what both were called with.
        tolerance: as a share of max(1, max |expected|).
    """
    if side.options is None or side.is_cell:
        return
    mapping = returns_map(side.native)
    in_reading_order = call.in_input_order(other)
    predicted = _leaves(mapping.to_keras(in_reading_order.output, in_reading_order.h_n, in_reading_order.c_n))
    returned = _leaves(side.call(call.inputs, call.initial_state, call.mask))  # type: ignore[attr-defined]
    for item, one, two in zip(mapping.items, predicted, returned, strict=True):
        counts = _counts(item.shape, call, side)
        difference = measure(one, two, counts)
        where = _place(item.shape, difference, side)
        yield Comparison.of(
            f"{item.keras} of {role}'s own call, {call.label}", difference, where, tolerance, item.pytorch, kind="own call"
        )


def _place(axes: tuple[str, ...], difference: Difference, side: Adapter) -> Where | None:
    if difference.index is None or not difference.max_abs:
        return None
    where: dict[str, int | str] = {}
    for axis, index in zip(axes, difference.index, strict=True):
        if axis == "direction * hidden":
            where["direction"], where["unit"] = divmod(index, side.spec.hidden_size)
        else:
            where[{"time": "time step", "hidden": "unit"}.get(axis, axis)] = index
    return where


def _counts(axes: tuple[str, ...], call: Call, side: Adapter) -> Array | None:
    """Give where the returned array is compared under a mask: steps that count, or rows that have one."""
    mask = call.read_mask
    if mask is None or side.options is None:
        return None
    if "time" in axes:
        return mask
    zeroed = side.options.zero_output_for_mask and not side.options.return_sequences and not side.spec.bidirectional
    return np.asarray(mask[:, -1] if zeroed else mask.any(axis=1))


def _leaves(nested: Any) -> list[Array]:
    if isinstance(nested, (tuple, list)):
        return [leaf for item in nested for leaf in _leaves(item)]
    return [nested]
