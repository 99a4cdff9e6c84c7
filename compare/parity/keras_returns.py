"""Comparing the return values of a Keras layer's own call with those that the return-value map computes for the other side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from compare.groundwork.calls import Call
from compare.parity.difference import Difference, measure
from compare.parity.verdict import Against, Comparison, Where
from compare.returns.mapping import ReturnsMap, returns_map
from frameworks import RecurrentOutput
from frameworks.adapter import Adapter, FlaggedAdapter
from frameworks.registry import has_flags

Array = npt.NDArray[Any]


def compare_own_calls(
    sides: tuple[Adapter, Adapter], results: tuple[RecurrentOutput, ...], call: Call, tolerance: float
) -> Iterator[Comparison]:
    """Compare the return values of layers called with their own Keras flags; yield nothing for layers without flags.

    They are compared with the values that the map computes from the other side's results. If both layers have the same flags,
    they are also compared with each other.

    Args:
        sides: the expected and the actual layer.
        results: the results of both, in input time order.
        call: the call of both.
        tolerance: the allowed error as a share of max(1, max |expected|).
    """
    expected, actual = (_own_call(side, call) for side in sides)
    for index, returned in enumerate((expected, actual)):
        if returned is not None:
            yield from _against_map(sides, index, returned, results[1 - index], call, tolerance)
    if expected is not None and actual is not None and sides[0].options == sides[1].options:
        for item, first, second in zip(_map(sides[0]).items, expected, actual, strict=True):
            difference = measure(first, second)
            where = _place(item.shape, difference, sides[0])
            name = f"{item.keras} of actual's own call, {call.label}"
            yield Comparison.of(name, difference, where, tolerance, Against.OWN_CALL_OF_EXPECTED, kind="own call")


def _map(side: Adapter) -> ReturnsMap:
    return returns_map(side.spec, side.options)


def _own_call(side: Adapter, call: Call) -> list[Array] | None:
    if side.is_cell or not has_flags(side.native):
        return None
    return _leaves(cast("FlaggedAdapter", side).call(call.inputs, call.initial_state, call.mask))


def _against_map(
    sides: tuple[Adapter, Adapter], index: int, returned: list[Array], other: RecurrentOutput, call: Call, tolerance: float
) -> Iterator[Comparison]:
    side = sides[index]
    mapping = _map(side)
    in_reading_order = call.in_input_order(other)
    predicted = _leaves(mapping.to_keras(in_reading_order.output, in_reading_order.h_n, in_reading_order.c_n))
    for item, one, two in zip(mapping.items, predicted, returned, strict=True):
        difference = measure(one, two, _counts(item.shape, call, side, sides[1 - index]))
        where = _place(item.shape, difference, side)
        name = f"{item.keras} of {('expected', 'actual')[index]}'s own call, {call.label}"
        yield Comparison.of(name, difference, where, tolerance, Against.RETURNS_MAP, kind="own call", expression=item.pytorch)


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


def _counts(axes: tuple[str, ...], call: Call, side: Adapter, other: Adapter) -> Array | None:
    """Return a mask of the elements of a returned array to compare under the call's mask, or None for all of them."""
    mask = call.read_mask
    if mask is None or side.options is None:
        return None
    if "time" in axes:
        return None if side.zeroes_masked_steps == other.zeroes_masked_steps else mask
    zeroed = side.options.zero_output_for_mask and not side.options.return_sequences and not side.spec.bidirectional
    return np.asarray(mask[:, -1] if zeroed else mask.any(axis=1))


def _leaves(nested: Any) -> list[Array]:
    if isinstance(nested, (tuple, list)):
        return [leaf for item in nested for leaf in _leaves(item)]
    return [nested]
