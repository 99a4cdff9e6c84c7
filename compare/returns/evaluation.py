"""Evaluating the expressions of a return-value map on arrays whose shapes have been checked.

The arrays are NumPy's or torch's. torch is never imported here: a caller with a tensor has imported it.
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
"""A NumPy array or a torch tensor; a precise type would need torch."""
Returned = Any
"""One array, or a tuple of arrays and of lists of arrays, as Keras nests them."""
Namespace = Any

_NUMPY_AS_TORCH = SimpleNamespace(cat=lambda arrays, dim: np.concatenate(arrays, axis=dim))
NUMPY_AS_KERAS = SimpleNamespace(ops=np)


def evaluate(expression: str, names: Mapping[str, Tensor]) -> Tensor:
    """Evaluate one expression of a map with only the given names."""
    return eval(expression, {"__builtins__": {}}, dict(names))  # noqa: S307  text and integers of this package


def torch_or_stand_in(arrays: Mapping[str, Tensor]) -> Namespace:
    """Return the `torch` of an expression: torch for tensors, a stand-in with NumPy's functions for NumPy arrays.

    Raises:
        GatewiseError: for anything else, for both kinds together, and for different dtypes.
    """
    torch = sys.modules.get("torch")
    kinds = (np.ndarray,) if torch is None else (np.ndarray, torch.Tensor)
    for name, array in arrays.items():
        if not isinstance(array, kinds):
            raise InvalidTypeError.because(
                name,
                must="be a NumPy array or a torch tensor",
                but=f"is a {type(array).__name__}",
                remedy="Pass the results of rnn(x); unpack a PackedSequence with pad_packed_sequence(batch_first=True).",
            )
    check_alike(arrays)
    return _NUMPY_AS_TORCH if isinstance(next(iter(arrays.values())), np.ndarray) else torch


def check_alike(arrays: Mapping[str, Tensor]) -> None:
    """Require arrays of one type and dtype, as a single call returns them.

    Raises:
        GatewiseError: naming the first array that differs from the first of all.
    """
    first_name, first = next(iter(arrays.items()))
    for name, array in arrays.items():
        if isinstance(array, np.ndarray) is not isinstance(first, np.ndarray) or array.dtype != first.dtype:
            raise InvalidTypeError.because(
                name,
                must=f"have the type and dtype of {first_name}, {_kind(first)}",
                but=f"is {_kind(array)}",
                remedy="Pass the results of one call.",
            )


def _kind(array: Tensor) -> str:
    return f"a {type(array).__name__} of {array.dtype}"


def check_shapes(arrays: Iterable[tuple[str, tuple[str, ...], Tensor]], known: Mapping[str, int], *, remedy: str) -> None:
    """Require arrays with the named axes and consistent sizes.

    Args:
        arrays: the name, axes and array of each.
        known: fixed sizes by axis; the size of any other axis is set by the first array that has it.
        remedy: the remedy, for the message.

    Raises:
        GatewiseError: naming the first array that does not fit.
    """
    sizes = dict(known)
    for name, axes, array in arrays:
        shape = tuple(array.shape)
        expected = ", ".join(f"{axis} = {sizes[axis]}" if axis in sizes else axis for axis in axes)
        seen = dict(zip(axes, shape, strict=False))
        if len(axes) != len(shape) or any(sizes.setdefault(axis, size) != size for axis, size in seen.items()):
            raise InvalidValueError.because(name, must=f"have shape ({expected})", but=f"has {shape}", remedy=remedy)


def as_numpy(name: str, array: Tensor) -> Array:
    """Convert a tensor of any Keras backend to a NumPy array, which may share its memory.

    Raises:
        GatewiseError: for a dtype other than float32 and float64, and for a symbolic tensor.
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
        remedy="Pass the results of the layer for NumPy arrays or tensors.",
    )


def states_by_name(h_n: Tensor, c_n: Tensor | None, *, has_cell_state: bool) -> dict[str, Tensor]:
    """Name the states of a PyTorch layer, passed one by one or as the pair that an LSTM returns.

    Raises:
        GatewiseError: for more or fewer states than the layer has.
    """
    given = list(h_n) if isinstance(h_n, (tuple, list)) else [h_n]
    given += [] if c_n is None else [c_n]
    names = ("h_n", "c_n") if has_cell_state else ("h_n",)
    if len(given) != len(names) or (isinstance(h_n, (tuple, list)) and not has_cell_state):
        raise InvalidValueError.because(
            "the states",
            must="be h_n and c_n, since an LSTM has both" if has_cell_state else "be h_n alone, since only an LSTM has a c_n",
            but=f"are {len(given)} arrays" if len(given) != 1 else f"are one {type(h_n).__name__}",
            remedy="Pass the results of rnn(x): to_keras(*rnn(x)).",
        )
    return dict(zip(names, given, strict=True))


def parts_of(name: str, returned: Returned, count: int) -> list[Returned]:
    """Split a returned tuple or list into its parts.

    Raises:
        GatewiseError: for anything else, and for a wrong number of parts.
    """
    if not isinstance(returned, (tuple, list)) or len(returned) != count:
        is_nested = isinstance(returned, (tuple, list))
        raise InvalidValueError.because(
            name,
            must=f"be a tuple or list of {count}",
            but=f"has {len(returned)}" if is_nested else f"is one {type(returned).__name__}",
            remedy="Pass what a layer with the flags of this map returns.",
        )
    return list(returned)
