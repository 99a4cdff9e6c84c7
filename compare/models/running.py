"""Running one layer of a model alone, on what another model's layer got."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.models.recording import Recorded, arrays_in
from frameworks.adapter import Adapter, Mask, States
from frameworks.errors import GatewiseError
from frameworks.output import RecurrentOutput
from frameworks.registry import adapt, owner_name

Array = npt.NDArray[Any]


def whole_results(
    expected: Sequence[Recorded], actual: Sequence[Recorded]
) -> tuple[RecurrentOutput, RecurrentOutput, RecurrentOutput | None] | None:
    """Return the whole results of both recurrent layers on their own inputs, and of the actual one on the expected one's.

    Args:
        expected: the calls of one layer, or of several that are a stack.
        actual: likewise.

    Returns:
        None if the two cannot be run.
    """
    one, two = _adapter(expected), _adapter(actual)
    if one is None or two is None:
        return None
    try:
        wanted = _run(one, expected[0], expected[0])
        found = _run(two, actual[0], actual[0])
    except GatewiseError:
        return None
    try:
        alone = _run(two, expected[0], expected[0])
    except GatewiseError:
        alone = None
    return wanted, found, alone


def _adapter(calls: Sequence[Recorded]) -> Adapter | None:
    try:
        return adapt([call.native for call in calls]) if len(calls) > 1 else calls[0].adapter
    except GatewiseError:
        return None


def _run(adapter: Adapter, call: Recorded, source: Recorded) -> RecurrentOutput:
    inputs = source.inputs[0]
    if source.adapter is not None and source.adapter.time_major and inputs.ndim == 3:
        inputs = inputs.swapaxes(0, 1)
    inputs = np.ascontiguousarray(inputs.astype(adapter.spec.dtype))
    mask = _mask(source, inputs)
    states = _states(adapter, source)
    backwards = adapter.options is not None and adapter.options.go_backwards
    del call, backwards
    return adapter.forward(inputs, states, mask)


def _mask(call: Recorded, inputs: Array) -> Mask | None:
    given = call.given.get("mask") or ()
    mask = given[0] if given else None
    return mask.astype(bool) if mask is not None and mask.shape == inputs.shape[:2] else None


def _states(adapter: Adapter, call: Recorded) -> States | None:
    """Return the initial states of a recorded call in the common form, or None."""
    names = adapter.spec.state_names
    rows = adapter.spec.num_layers * adapter.spec.num_directions
    given = [*call.inputs[1:], *(call.given.get("initial_state") or ()), *(call.given.get("hx") or ())]
    if not given:
        return None
    if given[0].ndim == 3 and len(given) == len(names):
        return tuple(given)
    if given[0].ndim == 2 and len(given) == rows * len(names):
        return tuple(np.stack(given[index :: len(names)]) for index in range(len(names)))
    return None


def run_alone(layer: Recorded, source: Recorded) -> tuple[Array, ...] | None:
    """Run a layer that is not recurrent on what another one got, its axes put into this one's order; None if it fails."""
    if not source.inputs or not layer.inputs:
        return None
    inputs = [_laid_out(array, own) for array, own in zip(source.inputs, layer.inputs, strict=False)]
    if any(array is None for array in inputs):
        return None
    try:
        return arrays_in(_call(layer.native, [array for array in inputs if array is not None]))
    except Exception:  # noqa: BLE001  whatever a user's layer raises
        return None


def _laid_out(array: Array, own: Array) -> Array | None:
    """Put the axes of an array into the order that a layer got its own input in."""
    if array.shape == own.shape:
        return array.astype(own.dtype)
    if array.ndim == own.ndim:
        for order in permutations(range(array.ndim)):
            if array.transpose(order).shape == own.shape:
                return array.transpose(order).astype(own.dtype)
        return array.astype(own.dtype)
    return array.reshape(own.shape).astype(own.dtype) if array.size == own.size else None


def _call(native: Any, inputs: Sequence[Array]) -> Any:
    if owner_name(native) == "pytorch":
        torch = sys.modules["torch"]
        training = native.training
        native.training = False
        try:
            with torch.no_grad():
                return native(*(torch.from_numpy(np.ascontiguousarray(array)) for array in inputs))
        finally:
            native.training = training
    return native(*inputs) if len(inputs) == 1 else native(list(inputs))
