"""Constants among the arguments of an operation, as source."""

from __future__ import annotations

from typing import Any

import numpy as np

from frameworks.models.pytorch.pieces import Name, literal

MOST = 1000
"""The most numbers of a constant that are written into the source."""


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
        message = f"a constant of {array.size} numbers"
        raise TypeError(message)
    return f"torch.tensor({literal(array.tolist())}, device={beside}.device)"
