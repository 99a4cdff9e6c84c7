"""One record per recurrent cell, with all differences between the cells except for their equations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

CellName = Literal["lstm", "gru", "rnn"]


@dataclass(frozen=True)
class Cell:
    """A recurrent cell.

    Args:
        name: the name of the cell in a spec.
        names: the name of the layer in each framework, and of the operator in ONNX; a bare cell's name ends in "Cell".
        gates: the names of the gates in canonical order.
        states: the states of one direction of one layer, in both frameworks' order.
        options: the fields of a spec that may differ between two cells of this kind.
        biases_act_apart: whether the recurrent bias acts differently from the bias, so that their sum cannot replace both.
        torch_activations: the activations of the candidate that the torch module can compute.
        projects: whether the torch module can project the hidden state.
    """

    name: CellName
    names: Mapping[str, str]
    gates: tuple[str, ...]
    states: tuple[str, ...] = ("h",)
    options: tuple[str, ...] = ("activation", "recurrent_activation")
    biases_act_apart: bool = False
    torch_activations: tuple[str, ...] = ()
    projects: bool = False

    @property
    def gated(self) -> bool:
        """Whether there are gates other than the candidate."""
        return len(self.gates) > 1

    @property
    def takes_nonlinearity(self) -> bool:
        """Whether the torch module lets the user choose the activation."""
        return len(self.torch_activations) > 1

    @property
    def forgets(self) -> bool:
        """Whether there is a forget gate."""
        return "forget" in self.gates

    def has_two_biases(self, *, bias: bool, reset_after: bool) -> bool:
        """Return whether such a cell needs a recurrent bias in addition to the bias.

        Args:
            bias: whether it has biases at all.
            reset_after: whether a reset gate acts after the recurrent product, and therefore on the recurrent bias too.
        """
        return bias and reset_after and self.biases_act_apart


CELLS: Mapping[str, Cell] = MappingProxyType(
    {
        cell.name: cell
        for cell in (
            Cell(
                name="rnn",
                names={"keras": "SimpleRNN", "pytorch": "RNN", "onnx": "RNN"},
                gates=("candidate",),
                options=("activation",),
                torch_activations=("tanh", "relu"),
            ),
            Cell(
                name="lstm",
                names={"keras": "LSTM", "pytorch": "LSTM", "onnx": "LSTM"},
                gates=("input", "forget", "candidate", "output"),
                states=("h", "c"),
                torch_activations=("tanh",),
                projects=True,
            ),
            Cell(
                name="gru",
                names={"keras": "GRU", "pytorch": "GRU", "onnx": "GRU"},
                gates=("update", "reset", "candidate"),
                options=("activation", "recurrent_activation", "reset_after"),
                biases_act_apart=True,
                torch_activations=("tanh",),
            ),
        )
    }
)
"""All cells by name."""

GATES: Mapping[str, tuple[str, ...]] = MappingProxyType({name: cell.gates for name, cell in CELLS.items()})
"""The gates of each cell in canonical order."""

OPTIONS: tuple[str, ...] = tuple(dict.fromkeys(option for cell in CELLS.values() for option in cell.options))
"""The options of all cells, each once."""


def cells_by_name(framework: str, suffix: str = "") -> dict[str, CellName]:
    """Map the name of each recurrent class of a framework to the cell that it computes.

    Args:
        framework: "keras" or "pytorch", or "onnx" for its operators.
        suffix: "Cell" for the bare cells.
    """
    return {f"{cell.names[framework]}{suffix}": cell.name for cell in CELLS.values() if framework in cell.names}


def cells_with(option: str) -> tuple[CellName, ...]:
    """Return the cells that have an option."""
    return tuple(cell.name for cell in CELLS.values() if option in cell.options)


def cell_by_gates(count: int) -> Cell | None:
    """Return the first cell with this number of gates, or None."""
    return next((cell for cell in CELLS.values() if len(cell.gates) == count), None)
