"""What the emulated modules refuse, before anything is computed: as torch does, and in the one form of gatewise's errors."""

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
"""Sizes by the names of their axes; None where only a run will know."""


def check_options(module: Any) -> None:
    """Refuse the constructor arguments that no spec holds.

    Raises:
        GatewiseError: where torch's constructor raises.
    """
    name = type(module).__name__
    known = CELLS[module.cell].torch_activations
    if "nonlinearity" in module.arguments and module.nonlinearity not in known:
        raise InvalidValueError.because(
            f"nonlinearity of {name}",
            must=f"be {' or '.join(map(repr, known))}",
            but=f"is {module.nonlinearity!r}",
            remedy="Choose what torch computes.",
        )
    if not isinstance(module.batch_first, bool):
        raise InvalidTypeError.because(
            f"batch_first of {name}", must="be True or False", but=f"is {module.batch_first!r}", remedy="Give a bool."
        )
    rate = module.dropout
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate <= 1:
        raise InvalidValueError.because(
            f"dropout of {name}",
            must="lie between 0 and 1",
            but=f"is {rate!r}",
            remedy="Give the rate at which outputs between layers become zero in training.",
        )
    size = module.proj_size
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < module.hidden_size:
        raise InvalidValueError.because(
            f"proj_size of {name}",
            must=f"be an int from 0 to {module.hidden_size - 1}, below hidden_size",
            but=f"is {size!r}",
            remedy="Give 0 for no projection.",
        )
    if size and not CELLS[module.cell].projects:
        raise InvalidValueError.because(
            f"proj_size of {name}", must="be 0", but=f"is {size}", remedy="Only an LSTM projects its hidden state."
        )


def check_call(module: Any, inputs: Any, hx: Any, lengths: Any, *, states_batch_first: bool) -> None:
    """Refuse the arguments of a layer's call that do not fit it, as far as their shapes and values are known.

    Raises:
        GatewiseError: for another kind, dtype, rank or size, no time step, or lengths that packing cannot mean.
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
            remedy="Leave empty sequences out.",
        )
    rows = {"layer * direction": module.num_layers * module.spec.num_directions}
    batch = {"batch": sizes["batch"]} if batched else {}
    outer = {**batch, **rows} if states_batch_first else {**rows, **batch}
    check_states(name, hx, {state: {**outer, "hidden": size} for state, size in module.state_sizes.items()})
    if lengths is None:
        return
    if not batched:
        raise InvalidValueError.because(
            "lengths", must="be None without a batch", but="are given", remedy="Cut the inputs instead."
        )
    check_lengths(lengths, sizes["batch"], sizes["time"])


def refuse_time_first(module: Any, inputs: Any) -> None:
    """Refuse a place in a functional Model, where Keras takes the first axis for the batch, to what has time there."""
    if not module.batch_first or len(getattr(inputs, "shape", ())) == 2:
        raise InvalidValueError.because(
            f"{type(module).__name__} {module.name!r} in a functional Model",
            must="be given (batch, time, input), with batch_first=True",
            but="has time as its first axis, along which predict would cut and join batches",
            remedy="Set its attribute batch_first to True and give it the batch first.",
        )


def check_array(subject: str, array: Any, axes: Axes) -> None:
    """Refuse what is no floating-point tensor of this shape, as far as the shape is known.

    Args:
        subject: what it is, for the message.
        array: a tensor of the backend, a symbolic one of Keras or a NumPy array.
        axes: what it must have.
    """
    if not hasattr(array, "shape") or not hasattr(array, "dtype"):
        raise InvalidTypeError.because(
            subject,
            must="be a tensor or an array",
            but=f"is a {type(array).__name__}",
            remedy="Convert it with numpy.asarray; an LSTM's states are a tuple (h_0, c_0), others' the tensor h_0.",
        )
    if "float" not in dtype_of(array):
        raise InvalidTypeError.because(
            subject, must="be of a floating-point dtype", but=f"has {dtype_of(array)}", remedy="Cast it first."
        )
    found = tuple(array.shape)
    known = zip(found, axes.values(), strict=False)
    if len(found) != len(axes) or any(one != other for one, other in known if None not in (one, other)):
        sizes = ", ".join(name if size is None else str(size) for name, size in axes.items())
        raise InvalidValueError.because(
            subject,
            must=f"have shape ({', '.join(axes)}) = ({sizes})",
            but=f"has {found}",
            remedy="Its axes lie as in torch, or, in a functional Model, with the batch first.",
        )


def check_states(subject: str, hx: Any, axes: Mapping[str, Axes]) -> None:
    """Refuse initial states of another number or shape.

    Args:
        subject: whose they are.
        hx: h_0, or the pair (h_0, c_0) of an LSTM; None for zeros.
        axes: of each state, by its name.
    """
    if hx is None:
        return
    alone = len(axes) == 1
    if isinstance(hx, (tuple, list)) is alone or (not alone and len(hx) != len(axes)):
        wanted = "the tensor h_0" if alone else "the pair (h_0, c_0)"
        found = f"is a {type(hx).__name__} of {len(hx)}" if isinstance(hx, (tuple, list)) else "is one tensor"
        raise InvalidValueError.because(
            f"hx of {subject}", must=f"be {wanted}", but=found, remedy="Give the states as the layer returns them."
        )
    for (name, wanted_axes), state in zip(axes.items(), (hx,) if alone else hx, strict=True):
        check_array(f"{name}_0 of hx", state, wanted_axes)


def check_lengths(lengths: Any, batch: int | None, time: int | None) -> None:
    """Refuse lengths that packing cannot mean; of their values only what is known: nothing inside a graph."""
    if not hasattr(lengths, "dtype") or not dtype_of(lengths).startswith(("int", "uint")):
        kind = f"have {dtype_of(lengths)}" if hasattr(lengths, "dtype") else f"are a {type(lengths).__name__}"
        raise InvalidTypeError.because(
            "lengths", must="be ints, one a row", but=kind, remedy="Count the steps of each row, or give None for all of them."
        )
    found = tuple(lengths.shape)
    if len(found) != 1 or (None not in (found[0], batch) and found[0] != batch):
        raise InvalidValueError.because(
            "lengths",
            must=f"have shape (batch,) = ({'batch' if batch is None else batch},)",
            but=f"have {found}",
            remedy="Give one length for each row, in the order of the rows.",
        )
    values = _values(lengths)
    if values is None or not values.size:
        return
    low, high = values.min(), values.max()
    if low < 1 or (time is not None and high > time):
        raise InvalidValueError.because(
            "lengths",
            must=f"lie between 1 and the {time or 'number of'} time steps",
            but=f"reach from {low} to {high}",
            remedy="Leave empty rows out, and pad the inputs to the longest row.",
        )


def _values(tensor: Any) -> npt.NDArray[Any] | None:
    """Give the values of a tensor; None inside a graph, where there are none yet: each backend says so in its own way."""
    try:
        return np.asarray(keras.ops.convert_to_numpy(tensor))
    except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError):
        return None
