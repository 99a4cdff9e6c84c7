"""Evaluating the expressions of a return-value map on arrays whose shapes were checked first.

The arrays are NumPy's or torch's. torch is never imported here: whoever holds a tensor has imported it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from frameworks.errors import GatewiseError, InvalidTypeError, InvalidValueError

Array = npt.NDArray[np.floating]
Tensor = Any
"""A NumPy array or a torch tensor: as long as torch stays unimported there is no better type."""
Returned = Any
"""One array, or a tuple of arrays and of lists of arrays, as Keras nests them."""
Namespace = Any

_NUMPY_AS_TORCH = SimpleNamespace(cat=lambda arrays, dim: np.concatenate(arrays, axis=dim))
NUMPY_AS_KERAS = SimpleNamespace(ops=np)


def evaluate(expression: str, names: Mapping[str, Tensor]) -> Tensor:
    """Evaluate one expression of a map; nothing but the names given is in sight."""
    return eval(expression, {"__builtins__": {}}, dict(names))  # noqa: S307  made of this package's own text and integers


def torch_or_stand_in(arrays: Mapping[str, Tensor]) -> Namespace:
    """Give what `torch` means for these arrays: torch for tensors, as much of it in NumPy for NumPy arrays.

    Raises:
        GatewiseError: for anything else, a mixture of the two, or of dtypes.
    """
    torch = sys.modules.get("torch")
    kinds = (np.ndarray,) if torch is None else (np.ndarray, torch.Tensor)
    for name, array in arrays.items():
        if not isinstance(array, kinds):
            raise InvalidTypeError.because(
                name,
                must="be a NumPy array or a torch tensor",
                but=f"is a {type(array).__name__}",
                remedy="Pass on what rnn(x) returned; unpack a PackedSequence with pad_packed_sequence(batch_first=True).",
            )
    check_alike(arrays)
    return _NUMPY_AS_TORCH if isinstance(next(iter(arrays.values())), np.ndarray) else torch


def check_alike(arrays: Mapping[str, Tensor]) -> None:
    """Refuse a mixture of NumPy arrays and tensors, or of dtypes: no one call returns that.

    Raises:
        GatewiseError: naming the first array that is not like the first of all.
    """
    first_name, first = next(iter(arrays.items()))
    for name, array in arrays.items():
        if isinstance(array, np.ndarray) is not isinstance(first, np.ndarray) or array.dtype != first.dtype:
            raise InvalidTypeError.because(
                name,
                must=f"be of the kind and dtype of {first_name}, {_kind(first)}",
                but=f"is {_kind(array)}",
                remedy="Pass on what one call returned.",
            )


def _kind(array: Tensor) -> str:
    return f"a {type(array).__name__} of {array.dtype}"


def check_shapes(arrays: Iterable[tuple[str, tuple[str, ...], Tensor]], known: Mapping[str, int], *, remedy: str) -> None:
    """Refuse arrays whose axes are not those named, or whose sizes along one axis disagree.

    Args:
        arrays: the name, the axes and the array, of each.
        known: the sizes that are fixed by axis; that of any other axis is the first one seen.
        remedy: the last sentence of a refusal.

    Raises:
        GatewiseError: naming the first array that does not fit.
    """
    sizes = dict(known)
    for name, axes, array in arrays:
        shape = tuple(array.shape)
        wanted = ", ".join(f"{axis} = {sizes[axis]}" if axis in sizes else axis for axis in axes)
        seen = dict(zip(axes, shape, strict=False))
        if len(axes) != len(shape) or any(sizes.setdefault(axis, size) != size for axis, size in seen.items()):
            raise InvalidValueError.because(name, must=f"have shape ({wanted})", but=f"has {shape}", remedy=remedy)


def as_numpy(name: str, array: Tensor) -> Array:
    """Give a returned tensor of any Keras backend as a NumPy array, which may share its memory.

    Raises:
        GatewiseError: for anything but float32 and float64 numbers, and for a symbolic tensor.
    """
    if isinstance(array, (tuple, list)):
        raise _no_array(name, array)
    try:
        values = np.asarray(array.detach().cpu() if hasattr(array, "detach") else array)
    except (TypeError, ValueError) as error:
        raise _no_array(name, array) from error
    if values.dtype.name not in ("float32", "float64"):
        raise _no_array(name, array)
    return values


def _no_array(name: str, array: Tensor) -> GatewiseError:
    return InvalidTypeError.because(
        name,
        must="be an array of float32 or float64 numbers",
        but=f"is a {type(array).__name__}" + (f" of {array.dtype}" if hasattr(array, "dtype") else ""),
        remedy="Pass on what calling the layer on numbers returned.",
    )


def states_by_name(h_n: Tensor, c_n: Tensor | None, *, has_cell_state: bool) -> dict[str, Tensor]:
    """Name the states of a PyTorch layer, given one by one or as the pair that an LSTM returns.

    Raises:
        GatewiseError: for more or fewer of them than the layer has.
    """
    given = list(h_n) if isinstance(h_n, (tuple, list)) else [h_n]
    given += [] if c_n is None else [c_n]
    names = ("h_n", "c_n") if has_cell_state else ("h_n",)
    if len(given) != len(names) or (isinstance(h_n, (tuple, list)) and not has_cell_state):
        raise InvalidValueError.because(
            "the states",
            must="be h_n and c_n, since an LSTM has both" if has_cell_state else "be h_n alone, since only an LSTM has a c_n",
            but=f"are {len(given)} arrays" if len(given) != 1 else f"are one {type(h_n).__name__}",
            remedy="Pass on what rnn(x) returned: to_keras(*rnn(x)).",
        )
    return dict(zip(names, given, strict=True))


def parts_of(name: str, returned: Returned, count: int) -> list[Returned]:
    """Take a returned tuple or list apart.

    Raises:
        GatewiseError: where it is none, or has another number of parts.
    """
    if not isinstance(returned, (tuple, list)) or len(returned) != count:
        is_nested = isinstance(returned, (tuple, list))
        raise InvalidValueError.because(
            name,
            must=f"be a tuple or list of {count}",
            but=f"has {len(returned)}" if is_nested else f"is one {type(returned).__name__}",
            remedy="Does the layer have the flags that this map was made for?",
        )
    return list(returned)
