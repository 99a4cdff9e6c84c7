"""Constants and dtypes among the arguments of an operation, as source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

import numpy as np

from frameworks.models.pytorch.dtypes import FLOATING, constant
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
_WORDS = frozenset({*_CASTS, "bfloat16", "int8", "int16", "uint8", "constant", "reflect", "symmetric"})
"""The texts that an operation may be called with: dtypes, and the mode of a pad."""
_SUBSCRIPTS = re.compile(r"[A-Za-z.]*(, *[A-Za-z.]*)*( *-> *[A-Za-z.]*)?")
"""Those of an einsum, which are quoted in the source."""


def refused(what: str) -> TypeError:
    """Return the error for an argument that torch lacks."""
    return TypeError(what)


def plain(value: Any) -> Any:
    """Return an argument of which every part can stand in the source: a file's text must not become code.

    Raises:
        TypeError: for text that no operation takes.
    """
    if isinstance(value, (Name, slice)):
        return value
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(plain(each) for each in value)
    if isinstance(value, str) and value not in _WORDS:
        raise refused(f"the text {value[:100]!r}")
    return Name(literal(value)) if isinstance(value, float) and not isfinite(value) else value


def subscripts_of(operands: tuple[Any, ...], given: Any = None) -> tuple[str, tuple[Any, ...]]:
    """Return the subscripts of an einsum, quoted, and its operands.

    Raises:
        TypeError: for anything else than subscripts.
    """
    subscripts, operands = (operands[0], operands[1:]) if given is None else (given, operands)
    if not isinstance(subscripts, str) or not _SUBSCRIPTS.fullmatch(subscripts):
        raise refused(f"the subscripts {subscripts!r}"[:100])
    return literal(subscripts), operands


def of_model(value: Any, precision: str) -> Any:
    """Return an argument in which the dtype that the model computes in stands for that of its weights.

    Args:
        value: an argument of an operation.
        precision: the name of the dtype in which the model computes.
    """
    if isinstance(value, Mapping):
        return {name: of_model(each, precision) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(of_model(each, precision) for each in value)
    return Name(FLOATING) if isinstance(value, str) and not isinstance(value, Name) and value == precision else value


def dtype_of(dtype: Any) -> str:
    """Return a dtype as source."""
    return str(dtype) if isinstance(dtype, Name) else f"torch.{dtype}"


def cast(x: Any, dtype: Any) -> str:
    """Return an expression of a tensor with another dtype."""
    return f"{x}.{_CASTS[dtype]}" if dtype in _CASTS else f"{x}.to({dtype_of(dtype)})"


def operand(value: Any, beside: Any) -> str:
    """Return an argument as source; an array becomes a tensor on the device of the argument beside it.

    Raises:
        TypeError: for a constant of more than `MOST` numbers.
    """
    is_array = isinstance(value, (np.ndarray, list, tuple)) and not isinstance(value, Name)
    return as_tensor(value, beside) if is_array else literal(value)


def tensors(*values: Any) -> list[str]:
    """Return arguments that must be tensors as source.

    Raises:
        TypeError: if all are constants, and for a constant of more than `MOST` numbers.
    """
    named = next((value for value in values if isinstance(value, Name)), None)
    if named is None:
        raise refused("constants alone")
    return [value if isinstance(value, Name) else as_tensor(value, named) for value in values]


def as_tensor(value: Any, beside: Any) -> str:
    """Return a constant as a tensor on the device of the argument beside it.

    Raises:
        TypeError: for a constant of more than `MOST` numbers.
    """
    array = np.asarray(value)
    if array.size > MOST:
        raise refused(f"a constant of {array.size} numbers")
    if array.dtype.kind == "f":
        return constant(array.tolist(), str(beside))
    return f"torch.tensor({literal(array.tolist())}, device={beside}.device)"
