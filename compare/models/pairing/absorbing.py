"""Activations that are a part of a layer in one model, and a layer of their own after it in the other."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.models.pairing.pair import Pair
from compare.models.recording.recorded import Recorded, arrays_in, innermost

Array = npt.NDArray[Any]


def activation_in(call: Recorded) -> Any:
    """Return the activation that a layer applies to its own result; None if it has none, or is an activation itself."""
    if call.adapter is not None or call.family.group == "activation":
        return None
    activation = getattr(innermost(call.native), "activation", None)
    return None if getattr(activation, "__name__", "linear") == "linear" else activation


def name_of(activation: Any) -> str:
    """Return the name of an activation for a reader."""
    return str(getattr(activation, "__name__", None) or type(activation).__name__)


def activated(activation: Any, array: Array) -> Array | None:
    """Return what an activation makes of an array, None if it fails."""
    old = str(getattr(activation, "__module__", "")).startswith("tf_keras")  # whose softmax reads a tensor's rank
    try:
        arrays = arrays_in(activation(sys.modules["tensorflow"].convert_to_tensor(array) if old else array))
    except Exception:  # noqa: BLE001  whatever a user's activation raises
        return None
    return arrays[0] if arrays else None


def absorb_activations(pairs: Sequence[Pair]) -> list[Pair]:
    """Put an activation without a partner into the pair of the layer before it, if that has one inside on the other side."""
    kept = list(pairs)
    for alone in [each for each in pairs if len(each.expected) + len(each.actual) == 1]:
        (call,) = alone.expected or alone.actual
        if call.family.group != "activation":
            continue
        for at, each in enumerate(kept):
            mine, others = (each.expected, each.actual) if alone.expected else (each.actual, each.expected)
            if mine and others and feeds(mine[-1], call) and activation_in(others[-1]) and not activation_in(mine[-1]):
                grown = (*mine, call)
                kept[at] = replace(each, expected=grown) if alone.expected else replace(each, actual=grown)
                kept.remove(alone)
                break
    return kept


def feeds(one: Recorded, other: Recorded) -> bool:
    """Return whether a call gets exactly what an earlier one returned."""
    if not one.outputs or not other.inputs or one.index >= other.index:
        return False
    return one.outputs[0].shape == other.inputs[0].shape and bool(
        np.array_equal(one.outputs[0], other.inputs[0], equal_nan=one.outputs[0].dtype.kind == "f")
    )
