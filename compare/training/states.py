"""A check that named arrays can replace others: when a training is resumed, or a model is copied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from frameworks.errors import InvalidValueError

Array = npt.NDArray[Any]


def require_same(
    arrays: Mapping[str, Array],
    expected: Mapping[str, Array],
    subject: str = "the state",
    remedy: str = "Restore it into a side built like the one it was taken from.",
) -> None:
    """Require matching names, shapes and dtypes.

    Args:
        arrays: the arrays to check, by name.
        expected: the arrays that they must match, by name.
        subject: what holds the arrays, for the message.
        remedy: what to do, for the message.

    Raises:
        GatewiseError: naming the first array that differs.
    """
    for name in (*expected, *arrays):
        must, but = (_described(some.get(name)) for some in (expected, arrays))
        if must != but:
            raise InvalidValueError.because(f"{name} of {subject}", must=f"be {must}", but=f"is {but}", remedy=remedy)


def _described(array: Array | None) -> str:
    return "absent" if array is None else f"{array.dtype} of shape {array.shape}"
