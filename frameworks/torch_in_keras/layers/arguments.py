"""Checks of the arguments of emulated modules before anything is computed; they reject everything that torch rejects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from frameworks.cells import CELLS
from frameworks.errors import InvalidTypeError, InvalidValueError
from frameworks.keras.tensors import dtype_of

Axes = Mapping[str, int | None]
"""Sizes by axis name; None for a size that is known only at run time."""


def check_options(module: Any) -> None:
    """Check the constructor arguments that are not part of a spec.

    Raises:
        GatewiseError: if torch's constructor would raise an error.
    """
    name = type(module).__name__
    known = CELLS[module.cell].torch_activations
    if "nonlinearity" in module.arguments and module.nonlinearity not in known:
        raise InvalidValueError.because(
            f"nonlinearity of {name}",
            must=f"be {' or '.join(map(repr, known))}",
            but=f"is {module.nonlinearity!r}",
            remedy="Choose an activation of torch's module.",
        )
    if not isinstance(module.batch_first, bool):
        raise InvalidTypeError.because(
            f"batch_first of {name}", must="be True or False", but=f"is {module.batch_first!r}", remedy="Pass a bool."
        )
    rate = module.dropout
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate <= 1:
        raise InvalidValueError.because(
            f"dropout of {name}",
            must="be between 0 and 1",
            but=f"is {rate!r}",
            remedy="Pass the rate at which outputs between layers become zero in training.",
        )
    size = module.proj_size
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < module.hidden_size:
        raise InvalidValueError.because(
            f"proj_size of {name}",
            must=f"be an int from 0 to {module.hidden_size - 1}, below hidden_size",
            but=f"is {size!r}",
            remedy="Pass 0 for no projection.",
        )
    if size and not CELLS[module.cell].projects:
        raise InvalidValueError.because(
            f"proj_size of {name}", must="be 0", but=f"is {size}", remedy="Only an LSTM projects its hidden state."
        )


def check_call(module: Any, inputs: Any, hx: Any, lengths: Any, *, states_batch_first: bool) -> None:
    """Check the arguments of a layer's call, as far as their shapes and values are known.

    Raises:
        GatewiseError: for a wrong type, dtype, rank or size, for inputs without a time step, and for invalid lengths.
    """
    name = type(module).__name__
    batched = len(getattr(inputs, "shape", ())) != 2
    leading = ("batch", "time")[:: 1 if module.batch_first else -1] if batched else ("time",)
    check_array(f"inputs of {name}", inputs, {**dict.fromkeys(leading), "input": module.input_size})
    sizes = dict(zip(leading, inputs.shape, strict=False))
    if sizes["time"] == 0:
        raise InvalidValueError.because(
            f"inputs of {name}",
            must="hold at least one time step",
            but=f"have {tuple(inputs.shape)}",
            remedy="Leave out empty sequences.",
        )
    rows = {"layer * direction": module.num_layers * module.spec.num_directions}
    batch = {"batch": sizes["batch"]} if batched else {}
    outer = {**batch, **rows} if states_batch_first else {**rows, **batch}
    check_states(name, hx, {state: {**outer, "hidden": size} for state, size in module.state_sizes.items()})
    if lengths is None:
        return
    if not batched:
        raise InvalidValueError.because(
            "lengths", must="be None without a batch", but="were given", remedy="Cut the inputs instead."
        )
    check_lengths(lengths, sizes["batch"], sizes["time"])


def refuse_time_first(module: Any, inputs: Any) -> None:
    """Raise an error for time first, or no batch, in a functional Model, where Keras treats the first axis as the batch."""
    if module.batch_first and len(getattr(inputs, "shape", ())) == 2:
        raise InvalidValueError.because(
            f"{type(module).__name__} {module.name!r} in a functional Model",
            must="get (batch, time, input)",
            but=f"gets {tuple(inputs.shape)}, whose first axis `predict` treats as the batch and splits",
            remedy="Add a batch axis.",
        )
    if not module.batch_first:
        raise InvalidValueError.because(
            f"{type(module).__name__} {module.name!r} in a functional Model",
            must="get (batch, time, input), with batch_first=True",
            but="has time as its first axis, which `predict` treats as the batch and splits",
            remedy="Set its attribute batch_first to True and pass the batch first.",
        )


def check_array(subject: str, array: Any, axes: Axes) -> None:
    """Check that an array is a floating-point tensor with these axes, as far as its shape is known.

    Args:
        subject: the array's name, for messages.
        array: a tensor of the backend, a symbolic Keras tensor, or a NumPy array.
        axes: the axes that it must have.
    """
    if not hasattr(array, "shape") or not hasattr(array, "dtype"):
        raise InvalidTypeError.because(
            subject,
            must="be a tensor or an array",
            but=f"is a {type(array).__name__}",
            remedy="Convert it with numpy.asarray; an LSTM takes the tuple (h_0, c_0), other layers the tensor h_0.",
        )
    if "float" not in dtype_of(array):
        raise InvalidTypeError.because(
            subject, must="be of a floating-point dtype", but=f"has {dtype_of(array)}", remedy="Cast it first."
        )
    shape = tuple(array.shape)
    known = zip(shape, axes.values(), strict=False)
    if len(shape) != len(axes) or any(one != other for one, other in known if None not in (one, other)):
        sizes = ", ".join(name if size is None else str(size) for name, size in axes.items())
        raise InvalidValueError.because(
            subject,
            must=f"have shape ({', '.join(axes)}) = ({sizes})",
            but=f"has {shape}",
            remedy="Order the axes as torch does; in a functional Model, put the batch first.",
        )


def check_states(subject: str, hx: Any, axes: Mapping[str, Axes]) -> None:
    """Check the number and shapes of initial states.

    Args:
        subject: the layer's name, for messages.
        hx: h_0, or the pair (h_0, c_0) of an LSTM; None for zeros.
        axes: the axes of each state, by state name.
    """
    if hx is None:
        return
    alone = len(axes) == 1
    if isinstance(hx, (tuple, list)) is alone or (not alone and len(hx) != len(axes)):
        wanted = "the tensor h_0" if alone else "the pair (h_0, c_0)"
        observation = f"is a {type(hx).__name__} of {len(hx)}" if isinstance(hx, (tuple, list)) else "is one tensor"
        raise InvalidValueError.because(
            f"hx of {subject}", must=f"be {wanted}", but=observation, remedy="Pass the states as the layer returns them."
        )
    for (name, wanted_axes), state in zip(axes.items(), (hx,) if alone else hx, strict=True):
        check_array(f"{name}_0 of hx", state, wanted_axes)


def check_lengths(lengths: Any, batch: int | None, time: int | None) -> None:
    """Check the dtype, shape and range of lengths; inside a graph their values are not known, and not checked."""
    if not hasattr(lengths, "dtype") or not dtype_of(lengths).startswith(("int", "uint")):
        kind = f"have {dtype_of(lengths)}" if hasattr(lengths, "dtype") else f"are a {type(lengths).__name__}"
        raise InvalidTypeError.because(
            "lengths",
            must="be ints, one for each row",
            but=kind,
            remedy="Count the valid steps of each row, or pass None if all steps are valid.",
        )
    shape = tuple(lengths.shape)
    if len(shape) != 1 or (None not in (shape[0], batch) and shape[0] != batch):
        raise InvalidValueError.because(
            "lengths",
            must=f"have shape (batch,) = ({'batch' if batch is None else batch},)",
            but=f"have {shape}",
            remedy="Pass one length for each row, in the order of the rows.",
        )
    values = _values(lengths)
    if values is None or not values.size:
        return
    low, high = values.min(), values.max()
    if low < 1 or (time is not None and high > time):
        raise InvalidValueError.because(
            "lengths",
            must=f"be between 1 and the {time or 'number of'} time steps",
            but=f"range from {low} to {high}",
            remedy="Leave empty rows out, and pad the inputs to the longest row.",
        )


def _values(tensor: Any) -> npt.NDArray[Any] | None:
    """Return the values of a tensor, or None inside a graph, where each backend raises a different error."""
    try:
        return np.asarray(keras.ops.convert_to_numpy(tensor))
    except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError):
        return None
