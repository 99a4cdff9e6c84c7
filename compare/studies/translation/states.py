"""What a training is continued from: arrays by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from frameworks.errors import InvalidValueError

Array = npt.NDArray[Any]


def require_same(state: Mapping[str, Array], own: Mapping[str, Array]) -> None:
    """Refuse a state that has not the names, shapes and dtypes of a side's own.

    Raises:
        GatewiseError: naming the first array that differs.
    """
    for name in (*own, *state):
        expected, found = (_described(arrays.get(name)) for arrays in (own, state))
        if expected != found:
            raise InvalidValueError.because(
                f"{name} of the state",
                must=f"be {expected}",
                but=f"is {found}",
                remedy="Restore it into a side of the setting that it was taken from.",
            )


def _described(array: Array | None) -> str:
    return "not there" if array is None else f"{array.dtype} of shape {array.shape}"
