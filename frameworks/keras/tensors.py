"""Reading and writing the tensors and variables of any Keras backend, including nested ones."""

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
    """Return the backend's tensor or variable behind a Keras variable; a tf_keras variable is a TensorFlow variable already."""
    value = getattr(variable, "value", variable)
    return variable if callable(value) else value


def dtype_of(variable: Any) -> str:
    """Return the name of the dtype in which the backend stores a variable, which may differ from the one that Keras reports."""
    dtype = tensor_of(variable).dtype
    return str(getattr(dtype, "name", dtype)).removeprefix("torch.")


def to_numpy(tensor: Any) -> Array:
    """Return a tensor or variable as a NumPy array."""
    tensor = tensor_of(tensor)
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
        tensor = (tensor.float() if dtype_of(tensor) == "bfloat16" else tensor).numpy()  # NumPy has no bfloat16
    return np.asarray(tensor)


def view(variable: Any) -> Array:
    """Return a variable as a NumPy array, without a copy if the backend shares memory."""
    tensor = tensor_of(variable)
    if hasattr(tensor, "read_value") and dtype_of(variable) != "bfloat16":  # the buffer protocol has no bfloat16
        # NumPy's own conversion copies a TensorFlow tensor; its buffer protocol shares it.
        return np.asarray(memoryview(tensor.read_value()))
    return to_numpy(tensor)


@contextmanager
def overwritten(variable: Any) -> Iterator[Array]:
    """Yield an array to be filled with the whole new value of a variable, and assign it afterwards.

    On the CPU, torch's memory is written in place. TensorFlow takes ownership of the array's memory, to which nothing else
    refers by then; converting the array would copy it twice.
    """
    tensor = tensor_of(variable)
    if hasattr(tensor, "detach") and tensor.device.type == "cpu":
        yield to_numpy(tensor)
        # Autograd does not notice NumPy's write, but a graph recorded earlier must not be used with the new values.
        import_module("torch").autograd.graph.increment_version(tensor)
        return
    ready = _aligned(tuple(variable.shape), dtype_of(variable))
    yield ready
    given: Any = ready
    if hasattr(tensor, "read_value"):
        given = import_module("tensorflow").experimental.dlpack.from_dlpack(ready.__dlpack__())
    variable.assign(given)


def _aligned(shape: tuple[int, ...], dtype: str) -> Array:
    """Return uninitialised memory that starts at a multiple of 64 bytes, like TensorFlow's own."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def map_nested(function: Callable[[Any], Any], nested: Any) -> Any:
    """Apply a function to every leaf of nested tuples and lists; TensorFlow's list type becomes a plain list."""
    if isinstance(nested, (tuple, list)):
        kind = tuple if isinstance(nested, tuple) else list
        return kind(map_nested(function, item) for item in nested)
    return function(nested)


def flatten(nested: Any) -> list[Any]:
    """Return the leaves of nested sequences in order, including Keras's tracked lists; None has no leaves."""
    if nested is None:
        return []
    if isinstance(nested, Sequence) or (hasattr(nested, "__iter__") and not hasattr(nested, "shape")):
        return [leaf for item in nested for leaf in flatten(item)]
    return [nested]


def plain_text(error: Exception) -> str:
    """Return the text of an error on one line, without the colours and the list of arguments that Keras adds."""
    text, _, _ = re.sub(r"\x1b\[\d*m", "", str(error)).partition("Arguments received by")
    return " ".join(text.split())
