"""Running one cell over a sequence, with torch's fused operation or in a loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from frameworks.keras_in_torch.layers import uncompiled
from frameworks.keras_in_torch.layers.cells import Cell, CellWeights, States, Tensor
from frameworks.keras_in_torch.layers.dropout import DropoutMasks
from frameworks.keras_in_torch.layers.masking import Packing
from frameworks.keras_in_torch.layers.recording import is_tracing, record_loop, records_loop, require_features
from frameworks.keras_in_torch.layers.steps import make_step, project


def run_loop(
    cell: Cell, weights: CellWeights, x: Tensor, states: States, mask: Tensor | None, dropout: DropoutMasks
) -> tuple[Tensor, States]:
    """Step through a sequence, with one input projection for all time steps.

    Args:
        cell: the cell to run.
        weights: its parameters.
        x: (batch, time, input).
        states: (batch, hidden) each.
        mask: (batch, time) bool, True at valid steps; other steps do not change the states. None if all steps are valid.
        dropout: the masks of this call.

    Returns:
        The hidden state after every step, (batch, time, hidden), and the last states.
    """
    projected = project(cell, weights, x.transpose(0, 1), dropout)
    counted = None if mask is None else mask.t().unsqueeze(-1)
    if records_loop(x):
        return _record(cell, weights, projected, states, counted, dropout)
    step = make_step(cell, weights, dropout)
    counts: Sequence[Tensor] = () if counted is None else counted.unbind(0)
    outputs = []
    for time, x_t in enumerate(projected.unbind(0)):
        stepped = step(x_t, states)
        if mask is not None:
            stepped = _where(counts[time], stepped, states)
        states = stepped
        outputs.append(states[0])
    return torch.stack(outputs, dim=1), states


def _record(
    cell: Cell, weights: CellWeights, projected: Tensor, states: States, counted: Tensor | None, dropout: DropoutMasks
) -> tuple[Tensor, States]:
    """Step through (time, batch, gate * hidden), with a mask (time, batch, 1), in a recorded loop."""
    biases = () if weights.bias_hh is None else (weights.bias_hh,)

    def advance(given: Sequence[Tensor], held: Sequence[Tensor], before: States) -> States:
        x_t, *valid = given
        weight_hh, *rest = held
        own = weights._replace(weight_hh=weight_hh, bias_hh=rest[0] if biases else None)
        step = make_step(cell, own, DropoutMasks(recurrent=tuple(rest[len(biases) :])))
        after = step(x_t, before)
        return _where(valid[0], after, before) if valid else after

    sequences = (projected,) if counted is None else (projected, counted)
    return record_loop(advance, sequences, (weights.weight_hh, *biases, *dropout.recurrent), states)


def _where(valid: Tensor, after: States, before: States) -> States:
    return tuple(torch.where(valid, new, old) for new, old in zip(after, before, strict=True))


def run_fused(
    mode: str, weights: Sequence[CellWeights], x: Tensor, states: States, packing: Packing | None
) -> tuple[Tensor, States]:
    """Run torch's own operation over one layer.

    Args:
        mode: "lstm", "gru", "rnn_tanh" or "rnn_relu".
        weights: the weights of each direction; the second one reads from the end.
        x: (batch, time, input), or with a packing the packed steps, (step, input).
        states: (direction, batch, hidden) each; with a packing only its packed rows.
        packing: the packing of the valid steps, or None if all steps are valid.

    Returns:
        The output, with the axes of x and the directions concatenated along the last one, and the last states, shaped like
        `states`.
    """
    keeps_out = mode == "lstm" and torch.compiler.is_compiling()
    x = require_features(x, weights[0].weight_ih.shape[1])
    operation: Any = uncompiled.lstm if keeps_out else getattr(torch, mode)
    flat = [each for one in weights for each in one if each is not None]
    hx = states if len(states) > 1 else states[0]
    train = torch.is_grad_enabled() or is_tracing()  # torch.jit.trace checks its graph without gradients
    # has_biases, num_layers, dropout, train (cuDNN needs it for a backward pass), bidirectional
    how = (weights[0].bias_ih is not None, 1, 0.0, train, len(weights) == 2)
    if packing is None:
        batch_first = True
        output, *finals = operation(x, hx, flat, *how, batch_first)
    else:
        output, *finals = operation(x, packing.batch_sizes, hx, flat, *how)
    return output, tuple(finals)
