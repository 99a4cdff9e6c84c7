"""The spec of a recurrent layer: the recurrence and its sizes, independent of any framework."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal, get_args

from frameworks.activations import ACTIVATIONS
from frameworks.cells import CELLS, OPTIONS, Cell, CellName, cells_with
from frameworks.errors import GatewiseError, InvalidTypeError, InvalidValueError

__all__ = ["CellName", "DTypeName", "RecurrentSpec", "Stack"]

DTypeName = Literal["float32", "float64"]

_FAMILIES = "Choose one of them, or a family with its numbers, as in leaky_relu(0.01)"


class _Stack:
    """Properties that follow from the cell, the layers and the directions alone."""

    cell: CellName
    num_layers: int
    bidirectional: bool

    @property
    def record(self) -> Cell:
        """The record of the cell."""
        return CELLS[self.cell]

    @property
    def gates(self) -> tuple[str, ...]:
        """The gates in canonical order."""
        return self.record.gates

    @property
    def num_directions(self) -> int:
        """1 or 2."""
        return 2 if self.bidirectional else 1

    @property
    def has_cell_state(self) -> bool:
        """Whether there is a cell state c in addition to the hidden state h."""
        return "c" in self.record.states

    @property
    def state_names(self) -> tuple[str, ...]:
        """The states of one direction of one layer, in both frameworks' order."""
        return self.record.states


@dataclass(frozen=True)
class Stack(_Stack):
    """The part of a spec that is known before a layer is built. The layer's return values depend on nothing else."""

    cell: CellName
    hidden_size: int
    num_layers: int = 1
    bidirectional: bool = False


@dataclass(frozen=True, repr=False)
class RecurrentSpec(_Stack):
    """A recurrence and its sizes, which define the meaning of a layer's weights.

    Args:
        cell: "lstm", "gru" or "rnn".
        input_size: the number of features in one time step.
        hidden_size: the number of units in one direction of one layer.
        num_layers: the number of layers; each reads the whole output of the layer below.
        bidirectional: whether a second direction reads each layer's input from its end.
        bias: whether the gates have a bias.
        dtype: "float32" or "float64", for weights, inputs and results.
        activation: the activation of the candidate and, in an LSTM, of the cell state before the output gate; a name in
            `frameworks.activations`.
        recurrent_activation: the activation of the other gates.
        reset_after: whether a GRU applies its reset gate after the recurrent product.

    Raises:
        GatewiseError: for a value that no layer could have.

    Example:
        >>> from gatewise import RecurrentSpec
        >>> spec = RecurrentSpec("lstm", input_size=3, hidden_size=4, bidirectional=True)
        >>> spec.gates
        ('input', 'forget', 'candidate', 'output')
        >>> spec.num_directions, spec.has_cell_state
        (2, True)
    """

    cell: CellName
    input_size: int
    hidden_size: int
    num_layers: int = 1
    bidirectional: bool = False
    bias: bool = True
    dtype: DTypeName = "float32"
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    reset_after: bool = True

    def __post_init__(self) -> None:
        """Reject invalid values, so that a layer can be built from every spec."""
        _check_choice("cell", self.cell, get_args(CellName))
        for name in ("input_size", "hidden_size", "num_layers"):
            _check_count(name, getattr(self, name))
        for name in ("bidirectional", "bias", "reset_after"):
            _check_flag(name, getattr(self, name))
        _check_choice("dtype", self.dtype, get_args(DTypeName), "Half precision is not compared: cast the layer to float32")
        _check_choice("activation", self.activation, ACTIVATIONS, _FAMILIES)
        _check_choice("recurrent_activation", self.recurrent_activation, ACTIVATIONS, _FAMILIES)
        for option in OPTIONS:
            if option not in self.record.options and getattr(self, option) != getattr(RecurrentSpec, option):
                raise _without_meaning(option, getattr(self, option), self.cell)

    def __repr__(self) -> str:
        """Return the call that makes the spec, without the arguments that have their default."""
        values = ((each, getattr(self, each.name, MISSING)) for each in fields(self))
        given = (f"{each.name}={value!r}" for each, value in values if value not in (each.default, MISSING))
        return f"{type(self).__name__}({', '.join(given)})"

    @property
    def cell_options(self) -> dict[str, Any]:
        """The options that the cell has, by name, with their values."""
        return {name: getattr(self, name) for name in self.record.options}

    @property
    def has_two_biases(self) -> bool:
        """Whether the recurrent bias acts differently from the bias, which makes it a separate weight in every framework."""
        return self.record.has_two_biases(bias=self.bias, reset_after=self.reset_after)

    def layer_input_size(self, layer: int) -> int:
        """Return the number of features that a layer reads: those of the input, or of all directions of the layer below."""
        return self.input_size if layer == 0 else self.num_directions * self.hidden_size


def _check_choice(name: str, value: object, choices: Collection[str], remedy: str = "Choose one of them") -> None:
    if not isinstance(value, str) or value not in choices:
        raise InvalidValueError.because(name, must=f"be one of {', '.join(choices)}", but=f"is {value!r}", remedy=f"{remedy}.")


def _check_count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidTypeError.because(name, must="be an int", but=f"is {value!r}", remedy="Pass a whole number from 1.")
    if value < 1:
        raise InvalidValueError.because(name, must="be at least 1", but=f"is {value}", remedy="Pass a whole number from 1.")


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise InvalidTypeError.because(name, must="be True or False", but=f"is {value!r}", remedy="Pass a bool.")


def _without_meaning(name: str, value: object, cell: str) -> GatewiseError:
    return InvalidValueError.because(
        name,
        must="be left at its default here",
        but=f"is {value!r}: it is an option of {' and '.join(cells_with(name))} only, and the cell is {cell!r}",
        remedy="Leave it out.",
    )
