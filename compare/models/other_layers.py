"""Naming the mistake of a layer that is not recurrent."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.models.pairing import family_of, weights_of
from compare.models.recording import Recorded

Array = npt.NDArray[Any]
_EPSILON: Mapping[str, str] = MappingProxyType({"batch norm": "eps", "layer norm": "eps"})


def explain_other(expected: Recorded, actual: Recorded) -> str:
    """Return what mends a layer that returns something else on the same input; "" if that is not known."""
    family = family_of(expected)
    if family != family_of(actual):
        return f"{actual.kind} stands where {expected.kind} must"
    options = _other_options(expected, actual)
    if options:
        return options
    one, two = weights_of(expected.native), weights_of(actual.native)
    return _other_weights(one, two)


def _other_options(expected: Recorded, actual: Recorded) -> str:
    names = {"epsilon": "eps", "eps": "eps"}
    values = [
        next((float(getattr(call.native, name)) for name in names if hasattr(call.native, name)), None)
        for call in (expected, actual)
    ]
    if None not in values and values[0] != values[1]:
        return f"eps={values[0]:g}: it is {values[1]:g} here"
    return ""


def _other_weights(one: list[Array], two: list[Array]) -> str:
    def like(a: Array, b: Array) -> bool:
        return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-5, atol=1e-7))

    for expected in one:
        same_size = [actual for actual in two if actual.size == expected.size]
        if (
            expected.ndim == 2
            and any(like(expected, actual) for actual in same_size)
            and expected.shape[0] == expected.shape[1]
        ):
            return "transpose the weight: weight.copy_(kernel.T)"
        if expected.ndim >= 2 and any(
            like(expected.ravel(), actual.ravel()) and expected.shape != actual.shape for actual in same_size
        ):
            return "transpose the weight, do not reshape it"
    return ""
