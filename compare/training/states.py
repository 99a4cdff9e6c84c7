"""Arrays by name, held against those whose place they are to take: what a training goes on from, a model that is copied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from frameworks.errors import InvalidValueError

Array = npt.NDArray[Any]


def require_same(
    found: Mapping[str, Array],
    wanted: Mapping[str, Array],
    subject: str = "the state",
    remedy: str = "Restore it into a side that was built as the one that it was taken from.",
) -> None:
    """Refuse arrays that have not the names, shapes and dtypes of others.

    Args:
        found: by name.
        wanted: by name.
        subject: what holds those that were found, for the message.
        remedy: what to do.

    Raises:
        GatewiseError: naming the first array that differs.
    """
    for name in (*wanted, *found):
        expected, actual = (_described(arrays.get(name)) for arrays in (wanted, found))
        if expected != actual:
            raise InvalidValueError.because(f"{name} of {subject}", must=f"be {expected}", but=f"is {actual}", remedy=remedy)


def _described(array: Array | None) -> str:
    return "not there" if array is None else f"{array.dtype} of shape {array.shape}"
