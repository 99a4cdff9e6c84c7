"""Checks of the arguments, inputs and states of Keras's layers in torch, before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch

from frameworks.cells import CELLS, CellName
from frameworks.errors import GatewiseError, InvalidTypeError, InvalidValueError
from frameworks.keras_in_torch.layers.recording import untraced

if TYPE_CHECKING:
    from frameworks.keras_in_torch.layers.cells import Cell

Tensor = torch.Tensor

PENALTIES = (
    *(f"{part}_{kind}" for kind in ("regularizer", "constraint") for part in ("kernel", "recurrent", "bias")),
    "activity_regularizer",
)
"""Keras arguments that affect only training; in torch they belong in the training loop."""

_COMMON: Mapping[str, Any] = MappingProxyType(
    {
        "use_bias": True,
        "kernel_initializer": "glorot_uniform",
        "recurrent_initializer": "orthogonal",
        "bias_initializer": "zeros",
        "dropout": 0.0,
        "recurrent_dropout": 0.0,
        "seed": None,
        "name": None,
        "dtype": None,
        "trainable": True,
        **dict.fromkeys(PENALTIES),
    }
)
_OPTIONS: Mapping[str, Any] = MappingProxyType({"recurrent_activation": "sigmoid", "reset_after": True})


def _arguments_of(name: str) -> Mapping[str, Any]:
    cell = CELLS[name]
    options = {option: default for option, default in _OPTIONS.items() if option in cell.options}
    gated = {"implementation": 2} if cell.gated else {}
    forgetting = {"unit_forget_bias": True} if "forget" in cell.gates else {}
    return MappingProxyType({**_COMMON, **options, **gated, **forgetting})


CELL_ARGUMENTS: Mapping[str, Mapping[str, Any]] = MappingProxyType({name: _arguments_of(name) for name in CELLS})
"""The keyword arguments of each Keras cell, with their defaults."""


def complete_arguments(kind: CellName, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments, completed with Keras's defaults.

    Raises:
        GatewiseError: for an argument that the cell does not have, or one that belongs in the training loop.
    """
    known = CELL_ARGUMENTS[kind]
    for name, value in given.items():
        if name not in known:
            raise InvalidTypeError.because(
                f"the arguments of Keras's {kind} cell",
                must=f"be among units, activation, {', '.join(known)}",
                but=f"hold {name}={value!r}",
                remedy="Leave it out.",
            )
        if name in PENALTIES and value is not None:
            raise InvalidValueError.because(
                name,
                must="be None",
                but=f"is {value!r}, which belongs in the training loop in torch",
                remedy="Add a regulariser's penalty to the loss, and apply a constraint after each optimizer step.",
            )
    return {**known, **given}


def check_count(name: str, value: Any) -> None:
    """Check that a number of units or features is a positive int."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidValueError.because(name, must="be a positive whole number", but=f"is {value!r}", remedy="Pass a size.")


@untraced
def check_inputs(inputs: Any, axes: tuple[str, ...], input_size: int | None) -> None:
    """Check the type, rank and feature size of inputs, and that they have a time step.

    Args:
        inputs: a torch tensor with these axes.
        axes: names of the axes, the input last.
        input_size: the number of features, or None if any number is accepted.
    """
    if not isinstance(inputs, torch.Tensor):
        raise InvalidTypeError.because(
            "inputs",
            must="be a torch tensor",
            but=f"are a {type(inputs).__name__}",
            remedy="Convert them with torch.as_tensor.",
        )
    if inputs.ndim != len(axes) or (input_size is not None and inputs.shape[-1] != input_size):
        raise InvalidValueError.because(
            "inputs",
            must=f"have shape ({', '.join([*axes[:-1], str(input_size or axes[-1])])})",
            but=f"have {tuple(inputs.shape)}",
            remedy="Keras's layers have the batch first and the features last.",
        )
    if "time" in axes and inputs.shape[1] == 0:
        raise InvalidValueError.because(
            "inputs",
            must="hold at least one time step",
            but=f"have shape {tuple(inputs.shape)}",
            remedy="Leave empty sequences out, as in Keras.",
        )


def check_states(subject: str, given: Any, cell: Cell, x: Tensor) -> tuple[Tensor, ...]:
    """Check the states of one cell, and return them in the dtype of the call.

    Args:
        subject: the name of the states, for messages.
        given: h, or a list of the cell's states, each (batch, hidden).
        cell: the cell to which they belong.
        x: a tensor with the batch, dtype and device of the call.

    Raises:
        GatewiseError: for a wrong number of states, or a state of a wrong type or shape.
    """
    states = tuple(given) if isinstance(given, (list, tuple)) else (given,)
    names = cell.state_names
    if len(states) != len(names):
        raise InvalidValueError.because(
            subject,
            must=f"be {' and '.join(names)} of a {cell.name}",
            but=f"are {len(states)} arrays",
            remedy="An LSTM takes [h, c]; a GRU or simple RNN takes h alone.",
        )
    _check_shapes(subject, states, cell, x)
    return tuple(state.to(x.dtype) for state in states)


@untraced
def _check_shapes(subject: str, states: tuple[Any, ...], cell: Cell, x: Tensor) -> None:
    for name, state in zip(cell.state_names, states, strict=True):
        _check_state(f"{name} of {subject}", state, (x.shape[0], cell.units))


def _check_state(subject: str, state: Any, shape: tuple[int, int]) -> None:
    if not isinstance(state, torch.Tensor):
        raise InvalidTypeError.because(
            subject,
            must="be a torch tensor",
            but=f"is a {type(state).__name__}",
            remedy="Pass every state, or zeros for a new sequence.",
        )
    if tuple(state.shape) != shape:
        raise InvalidValueError.because(
            subject,
            must=f"have shape (batch, hidden) = {shape}",
            but=f"has {tuple(state.shape)}",
            remedy="Keras's states have no axis for layers and directions: pass one row of torch's h_n.",
        )


def wrong_nesting(wanted: str, states: Any) -> GatewiseError:
    """Return the error for an initial state that is not nested as Keras nests it."""
    observation = f"has {len(states)} entries" if isinstance(states, (list, tuple)) else f"is one {type(states).__name__}"
    return InvalidValueError.because(
        "initial_state", must=f"be {wanted}", but=observation, remedy="Nest it as the layer returns its states."
    )
