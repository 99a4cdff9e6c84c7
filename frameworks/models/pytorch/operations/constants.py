"""Constants and dtypes among the arguments of an operation, as source."""

from __future__ import annotations

from typing import Any

import numpy as np

from frameworks.models.pytorch.pieces import Name, literal

MOST = 1000
"""The most numbers of a constant that are written into the source."""


_CASTS = {
    "float32": "float()",
    "float64": "double()",
    "float16": "half()",
    "int32": "int()",
    "int64": "long()",
    "bool": "bool()",
}


def refused(what: str) -> TypeError:
    """Return the error for an argument that torch lacks."""
    return TypeError(what)


def cast(x: Any, dtype: Any) -> str:
    """Return an expression of a tensor with another dtype."""
    return f"{x}.{_CASTS[dtype]}" if dtype in _CASTS else f"{x}.to(torch.{dtype})"


def operand(value: Any, beside: Any) -> str:
    """Return an argument as source; an array becomes a tensor on the device of the argument beside it.

    Raises:
        TypeError: for a constant of more than `MOST` numbers.
    """
    is_array = isinstance(value, (np.ndarray, list, tuple)) and not isinstance(value, Name)
    return as_tensor(value, beside) if is_array else literal(value)


def as_tensor(value: Any, beside: Any) -> str:
    """Return a constant as a tensor on the device of the argument beside it.

    Raises:
        TypeError: for a constant of more than `MOST` numbers.
    """
    array = np.asarray(value)
    if array.size > MOST:
        raise refused(f"a constant of {array.size} numbers")
    return f"torch.tensor({literal(array.tolist())}, device={beside}.device)"
