"""Reading the tensors and variables of any Keras backend, and the nests that Keras keeps them in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def tensor_of(variable: Any) -> Any:
    """Give the backend's own tensor or variable of a Keras variable; tf_keras's are TensorFlow's own already."""
    value = getattr(variable, "value", variable)
    return variable if callable(value) else value


def dtype_of(variable: Any) -> str:
    """Name the dtype in which the backend keeps a variable, whatever Keras says of it."""
    dtype = tensor_of(variable).dtype
    return str(getattr(dtype, "name", dtype)).removeprefix("torch.")


def to_numpy(tensor: Any) -> Array:
    """Give a tensor or variable as NumPy."""
    tensor = tensor_of(tensor)
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu().numpy()
    return np.asarray(tensor)


def view(variable: Any) -> Array:
    """Give a variable as NumPy, without copying where its backend shares memory."""
    tensor = tensor_of(variable)
    if hasattr(tensor, "read_value"):
        # NumPy's own conversion copies a TensorFlow tensor; its buffer protocol shares it.
        return np.asarray(memoryview(tensor.read_value()))
    return to_numpy(tensor)


def map_nested(function: Callable[[Any], Any], nested: Any) -> Any:
    """Apply a function to every leaf of nested tuples and lists."""
    if isinstance(nested, (tuple, list)):
        return type(nested)(map_nested(function, item) for item in nested)
    return function(nested)


def flatten(nested: Any) -> list[Any]:
    """Give the leaves of nested sequences, Keras's tracked lists among them, in order; none of None."""
    if nested is None:
        return []
    if isinstance(nested, Sequence) or (hasattr(nested, "__iter__") and not hasattr(nested, "shape")):
        return [leaf for item in nested for leaf in flatten(item)]
    return [nested]
