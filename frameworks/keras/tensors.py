"""Reading and writing the tensors and variables of any Keras backend, and the nests that Keras keeps them in."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_ALIGNMENT = 64


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
        tensor = tensor.detach().cpu()
        tensor = (tensor.float() if dtype_of(tensor) == "bfloat16" else tensor).numpy()  # which NumPy has not
    return np.asarray(tensor)


def view(variable: Any) -> Array:
    """Give a variable as NumPy, without copying where its backend shares memory."""
    tensor = tensor_of(variable)
    if hasattr(tensor, "read_value") and dtype_of(variable) != "bfloat16":  # which no buffer holds
        # NumPy's own conversion copies a TensorFlow tensor; its buffer protocol shares it.
        return np.asarray(memoryview(tensor.read_value()))
    return to_numpy(tensor)


@contextmanager
def overwritten(variable: Any) -> Iterator[Array]:
    """Give the array to fill with a variable's whole new value, which the variable takes when it is full.

    On the CPU torch's memory is written in place, and TensorFlow is given the array's own memory, which nobody else holds by
    then: to convert the array it would copy it twice.
    """
    tensor = tensor_of(variable)
    if hasattr(tensor, "detach") and tensor.device.type == "cpu":
        yield to_numpy(tensor)
        # NumPy wrote past autograd, which must know that a graph built before holds other values.
        import_module("torch").autograd.graph.increment_version(tensor)
        return
    ready = _aligned(tuple(variable.shape), dtype_of(variable))
    yield ready
    given: Any = ready
    if hasattr(tensor, "read_value"):
        given = import_module("tensorflow").experimental.dlpack.from_dlpack(ready.__dlpack__())
    variable.assign(given)


def _aligned(shape: tuple[int, ...], dtype: str) -> Array:
    """Give uninitialised memory that starts at a multiple of 64 bytes, as TensorFlow's own does."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def map_nested(function: Callable[[Any], Any], nested: Any) -> Any:
    """Apply a function to every leaf of nested tuples and lists; TensorFlow's own kind of list becomes a plain one."""
    if isinstance(nested, (tuple, list)):
        kind = tuple if isinstance(nested, tuple) else list
        return kind(map_nested(function, item) for item in nested)
    return function(nested)


def flatten(nested: Any) -> list[Any]:
    """Give the leaves of nested sequences, Keras's tracked lists among them, in order; none of None."""
    if nested is None:
        return []
    if isinstance(nested, Sequence) or (hasattr(nested, "__iter__") and not hasattr(nested, "shape")):
        return [leaf for item in nested for leaf in flatten(item)]
    return [nested]


def plain_text(error: Exception) -> str:
    """Give an error's text on one line, without the colours and the list of arguments that Keras puts into it."""
    text, _, _ = re.sub(r"\x1b\[\d*m", "", str(error)).partition("Arguments received by")
    return " ".join(text.split())
