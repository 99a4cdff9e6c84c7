"""One Keras cell in torch: its description and its parameters.

Parameters have the names, shapes and gate order of torch's own cells (`frameworks.layouts.PYTORCH`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch

from frameworks.cells import CELLS, CellName
from frameworks.keras_in_torch.layers.activations import Activation
from frameworks.layouts import PYTORCH
from frameworks.spec import RecurrentSpec

Tensor = torch.Tensor
States = tuple[Tensor, ...]


@dataclass(frozen=True)
class Cell:
    """One cell without its weights, described by the arguments of the Keras cell.

    Args:
        name: "lstm", "gru" or "rnn".
        units: the hidden size.
        activation: the activation of the candidate and, in an LSTM, of the cell state before the output gate: a Keras name, or
            a torch function.
        recurrent_activation: the activation of the other gates, likewise.
        use_bias: whether the gates have a bias.
        reset_after: whether a GRU applies its reset gate after the recurrent product.
        dropout: the dropout rate of the inputs in training.
        recurrent_dropout: the dropout rate of the hidden state in training.
        implementation: 1 draws one dropout mask per gate, 2 one mask for all gates; without dropout there is no difference.
    """

    name: CellName
    units: int
    activation: str | Activation = "tanh"
    recurrent_activation: str | Activation = "sigmoid"
    use_bias: bool = True
    reset_after: bool = True
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    implementation: int = 2

    @property
    def gates(self) -> tuple[str, ...]:
        """The gates in torch's order, as in the parameters."""
        return PYTORCH.gates[self.name]

    @property
    def state_names(self) -> tuple[str, ...]:
        """The names of the states: h, and c if there is one."""
        return CELLS[self.name].states

    @property
    def trains_two_biases(self) -> bool:
        """Whether Keras trains a recurrent bias in addition to the bias."""
        return CELLS[self.name].has_two_biases(bias=self.use_bias, reset_after=self.reset_after)

    @property
    def fused_mode(self) -> str | None:
        """The torch operation that computes the whole recurrence, or None if there is none."""
        record = CELLS[self.name]
        if self.activation not in record.torch_activations or self.recurrent_activation != "sigmoid" or not self.reset_after:
            return None
        return f"{self.name}_{self.activation}" if record.takes_nonlinearity else self.name

    def spec(self, input_size: int) -> RecurrentSpec:
        """Return the spec of the sizes and biases, for the layout tables."""
        return RecurrentSpec(self.name, input_size, self.units, bias=self.use_bias, reset_after=self.reset_after)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """The names of the parameters in torch's order."""
        return PYTORCH.names(self.spec(1))

    def shapes(self, input_size: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of each parameter by name."""
        return PYTORCH.shapes(self.spec(input_size), 0)


class CellWeights(NamedTuple):
    """The parameters of one cell; a missing bias is None.

    Args:
        weight_ih: (gate * hidden, input).
        weight_hh: (gate * hidden, hidden).
        bias_ih: (gate * hidden,).
        bias_hh: (gate * hidden,), added to the recurrent product.
    """

    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor | None = None
    bias_hh: Tensor | None = None

    def cast(self, dtype: torch.dtype) -> CellWeights:
        """Return the same weights in another dtype."""
        return CellWeights(**{name: each.to(dtype) for name, each in self._asdict().items() if each is not None})
