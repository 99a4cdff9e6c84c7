"""Keras's dropout inside a cell: one mask for all time steps, shared by the gates or one per gate.

Source: keras/src/layers/rnn/dropout_rnn_cell.py and the `call` of the cells. Measurements show that `dropout` alone draws one
mask for all gates; with `recurrent_dropout` or `implementation=1` both rates draw one mask per gate. A simple RNN has one gate.
The hidden state is masked, but never the cell state; the remaining values are divided by 1 - rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from frameworks.cells import CELLS

if TYPE_CHECKING:
    from frameworks.keras_in_torch.layers.cells import Cell

Tensor = torch.Tensor


@dataclass(frozen=True)
class DropoutMasks:
    """The masks of one cell in one call; a tuple is empty, or has one mask for all gates, or one per gate in torch's order.

    Args:
        inputs: the masks of the inputs, each (batch, input).
        recurrent: the masks of the hidden state, each (batch, hidden).
    """

    inputs: tuple[Tensor, ...] = ()
    recurrent: tuple[Tensor, ...] = ()


NO_MASKS = DropoutMasks()


def draw_masks(cell: Cell, x: Tensor, input_size: int) -> DropoutMasks:
    """Draw the masks of one call in training, from torch's global random state.

    Args:
        cell: the cell, with its dropout rates.
        x: (batch, ...), with the dtype and device of the call.
        input_size: the number of features that the cell reads.
    """
    gated = CELLS[cell.name].gated
    per_gate = gated and (cell.implementation == 1 or cell.recurrent_dropout > 0)
    count = len(cell.gates) if per_gate else 1

    def draw(rate: float, size: int) -> tuple[Tensor, ...]:
        if rate == 0 or (rate == 1 and gated):  # at a rate of 1, Keras drops nothing in its gated cells
            return ()
        ones = x.new_ones((x.shape[0], size))
        return tuple(torch.nn.functional.dropout(ones, rate, training=True) for _ in range(count))

    return DropoutMasks(draw(cell.dropout, input_size), draw(cell.recurrent_dropout, cell.units))
