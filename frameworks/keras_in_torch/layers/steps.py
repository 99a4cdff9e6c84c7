"""One time step of each Keras cell, in torch.

Sources: keras/src/layers/rnn/{simple_rnn,lstm,gru}.py (`call` of the cells); Cho et al. 2014, https://arxiv.org/abs/1406.1078,
for the GRU that resets before the product.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch.nn import functional

from frameworks.keras_in_torch.layers.activations import Activation, find_activation
from frameworks.keras_in_torch.layers.cells import Cell, CellWeights, States, Tensor
from frameworks.keras_in_torch.layers.dropout import DropoutMasks

Step = Callable[[Tensor, States], States]
"""Maps the projected input of one time step, (batch, gate * hidden), and the states to the next states, (batch, hidden)."""


def project(cell: Cell, weights: CellWeights, x: Tensor, masks: DropoutMasks) -> Tensor:
    """Multiply the inputs of all time steps by the kernel at once.

    Args:
        cell: the cell that reads the inputs.
        weights: its weights.
        x: (..., batch, input).
        masks: its dropout masks, the same for all time steps.

    Returns:
        (..., batch, gate * hidden), including every bias that can be added before the recurrent product.
    """
    bias = weights.bias_ih
    if bias is not None and weights.bias_hh is not None and not cell.trains_two_biases:
        bias = bias + weights.bias_hh
    if len(masks.inputs) <= 1:
        return functional.linear(_masked(x, masks.inputs), weights.weight_ih, bias)
    blocks = weights.weight_ih.chunk(len(cell.gates))
    parts = [functional.linear(x * mask, block) for mask, block in zip(masks.inputs, blocks, strict=True)]
    projected = torch.cat(parts, dim=-1)
    return projected if bias is None else projected + bias


def make_step(cell: Cell, weights: CellWeights, masks: DropoutMasks) -> Step:
    """Return the function that computes one time step of a cell."""
    act, gate_act = find_activation(cell.activation), find_activation(cell.recurrent_activation)
    name = cell.name if cell.reset_after else f"{cell.name}, reset before"
    return _STEPS[name](_Recurrent(weights.weight_hh, weights.bias_hh, masks.recurrent), act, gate_act)


class _Recurrent(NamedTuple):
    """The recurrent product of some gates: h times their blocks of the weight, added to another term.

    Args:
        weight: (gate * hidden, hidden).
        bias: (gate * hidden,), which the caller adds, or None.
        masks: the dropout masks of h: none, one for all gates, or one per gate.
    """

    weight: Tensor
    bias: Tensor | None
    masks: tuple[Tensor, ...]

    def of_gates(self, first: int, last: int, hidden: int) -> _Recurrent:
        """Return the product of the gates from `first` up to, but not including, `last`."""
        return _Recurrent(self.weight[first * hidden : last * hidden], None, self.masks[first:last])

    def __call__(self, added: Tensor, h: Tensor) -> Tensor:
        """Add the product of h, (batch, hidden), to `added`; return (batch, gate * hidden)."""
        if len(self.masks) <= 1:
            return torch.addmm(added, _masked(h, self.masks), self.weight.t())
        blocks = self.weight.chunk(len(self.masks))
        parts = [functional.linear(h * mask, block) for mask, block in zip(self.masks, blocks, strict=True)]
        return added + torch.cat(parts, dim=-1)


def _masked(x: Tensor, masks: tuple[Tensor, ...]) -> Tensor:
    return x * masks[0] if masks else x


def _rnn_step(recurrent: _Recurrent, act: Activation, gate_act: Activation) -> Step:  # noqa: ARG001  one signature
    def step(x: Tensor, states: States) -> States:
        (h,) = states
        return (act(recurrent(x, h)),)

    return step


def _lstm_step(recurrent: _Recurrent, act: Activation, gate_act: Activation) -> Step:
    def step(x: Tensor, states: States) -> States:
        h, c = states
        i, f, g, o = recurrent(x, h).chunk(4, dim=-1)
        c = gate_act(f) * c + gate_act(i) * act(g)
        return gate_act(o) * act(c), c

    return step


def _gru_step(recurrent: _Recurrent, act: Activation, gate_act: Activation) -> Step:
    bias = recurrent.weight.new_zeros(()) if recurrent.bias is None else recurrent.bias

    def step(x: Tensor, states: States) -> States:
        (h,) = states
        x_r, x_z, x_g = x.chunk(3, dim=-1)
        h_r, h_z, h_g = recurrent(bias, h).chunk(3, dim=-1)
        r, z = gate_act(x_r + h_r), gate_act(x_z + h_z)
        g = act(x_g + r * h_g)
        return (z * h + (1 - z) * g,)

    return step


def _gru_reset_before_step(recurrent: _Recurrent, act: Activation, gate_act: Activation) -> Step:
    hidden = recurrent.weight.shape[1]
    gates, candidate = recurrent.of_gates(0, 2, hidden), recurrent.of_gates(2, 3, hidden)

    def step(x: Tensor, states: States) -> States:
        (h,) = states
        x_rz, x_g = torch.split(x, [2 * hidden, hidden], dim=-1)
        r, z = gates(x_rz, h).chunk(2, dim=-1)
        r, z = gate_act(r), gate_act(z)
        g = act(candidate(x_g, r * h))
        return (z * h + (1 - z) * g,)

    return step


_STEPS: Mapping[str, Callable[[_Recurrent, Activation, Activation], Step]] = {
    "rnn": _rnn_step,
    "lstm": _lstm_step,
    "gru": _gru_step,
    "gru, reset before": _gru_reset_before_step,
}
