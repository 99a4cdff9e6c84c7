"""A check that named arrays can replace others, for resuming a training or copying a model."""

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
    remedy: str = "Restore it into a side built like the original one.",
) -> None:
    """Require matching names, shapes and dtypes.

    Args:
        arrays: the arrays to check, by name.
        expected: the arrays that they must match, by name.
        subject: the owner of the arrays, for the message.
        remedy: the remedy, for the message.

    Raises:
        GatewiseError: naming the first array that differs.
    """
    for name in (*expected, *arrays):
        must, but = (_described(some.get(name)) for some in (expected, arrays))
        if must != but:
            raise InvalidValueError.because(f"{name} of {subject}", must=f"be {must}", but=f"is {but}", remedy=remedy)


def _described(array: Array | None) -> str:
    return "absent" if array is None else f"{array.dtype} of shape {array.shape}"
