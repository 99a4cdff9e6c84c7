"""The tolerances within which two results are considered the same."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from numbers import Real
from types import MappingProxyType

from frameworks.adapter import Adapter
from frameworks.errors import InvalidValueError

TOLERANCES: Mapping[str, float] = MappingProxyType({"float32": 1e-5, "float64": 1e-12})
"""The tolerance of each dtype; an error passes if it is at most the tolerance times max(1, max |expected|)."""


def choose_tolerance(adapters: Iterable[Adapter], tolerance: float | None) -> float:
    """Return the caller's tolerance, or the tolerance of the coarsest arithmetic among the adapters.

    Raises:
        InvalidValueError: for a tolerance that is not a positive number.
    """
    if tolerance is None:
        return max(TOLERANCES[adapter.precision] for adapter in adapters)
    if isinstance(tolerance, bool) or not isinstance(tolerance, Real) or not 0 < float(tolerance) < math.inf:
        raise InvalidValueError.because(
            "tolerance", must="be a positive number", but=f"is {tolerance!r}", remedy="Leave it out for the dtype's default."
        )
    return float(tolerance)
