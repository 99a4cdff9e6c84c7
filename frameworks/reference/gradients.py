"""Backpropagation through time, written out in plain float64 NumPy: a reference that belongs to neither framework."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from frameworks.adapter import Mask, States, check_call
from frameworks.gradients import RecurrentGradients
from frameworks.output import RecurrentOutput
from frameworks.reference.cell_gradients import make_pull
from frameworks.reference.forward import Array, make_projection, reading_order, run_direction
from frameworks.spec import RecurrentSpec
from frameworks.weights import PARTS, DirectionWeights, RecurrentWeights, check_weights


def run_reference_gradients(
    weights: RecurrentWeights,
    spec: RecurrentSpec,
    inputs: npt.NDArray[np.floating],
    initial_state: npt.NDArray[np.floating] | States | None,
    mask: Mask | None,
    cotangents: RecurrentOutput,
    *,
    zero_masked: bool = True,
) -> RecurrentGradients:
    """Differentiate `run_reference` in float64.

    The inputs at masked steps are not read: their gradient is zero, and a NaN among them affects no gradient.

    Args:
        weights: the weights of a layer with this spec.
        spec: the recurrence; its dtype is that of the arguments, while the arithmetic is float64.
        inputs: (batch, time, input).
        initial_state: h_0 or (h_0, c_0), each (layer * direction, batch, hidden); zeros when None.
        mask: (batch, time) bool, True at valid steps; None if all steps are valid.
        cotangents: arrays shaped like the results of `run_reference`; the scalar is the sum of all results times these.
        zero_masked: as in `run_reference`.

    Returns:
        float64 arrays, with a gradient for each part that `weights` has.

    Raises:
        GatewiseError: for arguments that do not fit the spec.
    """
    check_weights(weights, spec)
    states, _ = check_call(spec, inputs, initial_state, mask)
    counts = np.ones(inputs.shape[:2], dtype=bool) if mask is None else mask
    with np.errstate(all="ignore"):
        sequence = np.where(counts[..., None], inputs, 0).astype(np.float64)
        layers: list[list[_Run]] = []
        for layer, directions in enumerate(weights.layers):
            runs = []
            for direction, one in enumerate(directions):
                start = tuple(state[layer * spec.num_directions + direction].astype(np.float64) for state in states)
                runs.append(_Run.of(one, spec, sequence, start, counts, backward=direction == 1, zero_masked=zero_masked))
            layers.append(runs)
            sequence = np.concatenate([run.outputs for run in runs], axis=-1)
        return _pull_layers(layers, spec, cotangents)


@dataclass(frozen=True, eq=False)
class _Direction:
    """The gradients of one direction with respect to its weights, its sequence (batch, time, input) and its initial states."""

    weights: DirectionWeights
    sequence: Array
    states: States


@dataclass(frozen=True, eq=False)
class _Run:
    """The forward run of one direction, with everything that backpropagation needs; fields as in `run_direction`."""

    weights: DirectionWeights
    spec: RecurrentSpec
    sequence: Array
    counts: Mask
    backward: bool
    zero_masked: bool
    outputs: Array
    history: list[States]

    @classmethod
    def of(
        cls,
        weights: DirectionWeights,
        spec: RecurrentSpec,
        sequence: Array,
        states: States,
        counts: Mask,
        *,
        backward: bool,
        zero_masked: bool,
    ) -> _Run:
        """Run a direction forwards."""
        outputs, history = run_direction(weights, spec, sequence, states, counts, backward=backward, zero_masked=zero_masked)
        return cls(weights, spec, sequence, counts, backward, zero_masked, outputs, history)

    def pull(self, d_outputs: Array, d_states: States) -> _Direction:
        """Propagate gradients back through the steps.

        Args:
            d_outputs: the gradient with respect to the outputs, (batch, time, hidden).
            d_states: the gradients with respect to the final states, each (batch, hidden).
        """
        pull, project = make_pull(self.weights, self.spec), make_projection(self.weights)
        gates, kernel = self.weights.gates, self.weights.kernel.astype(np.float64)
        d_kernel, d_recurrent = np.zeros_like(kernel), np.zeros(self.weights.recurrent_kernel.shape)
        d_bias, d_recurrent_bias = (np.zeros((len(gates), self.spec.hidden_size)) for _ in range(2))
        d_sequence, d_shown = np.zeros_like(self.sequence), np.zeros_like(d_states[0])
        steps = zip(reading_order(self.sequence, backward=self.backward), self.history[:-1], strict=True)
        for time, before in reversed(list(steps)):
            x, keep = self.sequence[:, time], self.counts[:, time, None]
            d_shown = d_shown + d_outputs[:, time]
            d_after = (d_states[0] + np.where(keep, d_shown, 0), *d_states[1:])
            d_shown = np.where(keep | self.zero_masked, 0, d_shown)
            pulled = pull(project(x), before, tuple(np.where(keep, each, 0) for each in d_after))
            for index, gate in enumerate(gates):
                d_x, d_h = pulled.projected[gate], pulled.recurrent[gate]
                d_kernel[index] += x.T @ d_x
                d_recurrent[index] += pulled.read[gate].T @ d_h
                d_bias[index] += d_x.sum(axis=0)
                d_recurrent_bias[index] += d_h.sum(axis=0)
                d_sequence[:, time] += d_x @ kernel[index].T
            d_states = tuple(np.where(keep, new, old) for new, old in zip(pulled.states, d_after, strict=True))
        every = dict(zip(PARTS, (d_kernel, d_recurrent, d_bias, d_recurrent_bias), strict=True))
        parts = {part: every[part] for part, _ in self.weights.arrays()}
        return _Direction(DirectionWeights(gates, **parts), d_sequence, d_states)


def _pull_layers(layers: list[list[_Run]], spec: RecurrentSpec, cotangents: RecurrentOutput) -> RecurrentGradients:
    finals = [array.astype(np.float64) for array in (cotangents.h_n, cotangents.c_n) if array is not None]
    d_sequence: Array = np.asarray(cotangents.output, np.float64)
    gradients: list[list[_Direction]] = []
    for layer, runs in reversed(list(enumerate(layers))):
        halves = np.split(d_sequence, spec.num_directions, axis=-1)
        rows = range(layer * spec.num_directions, (layer + 1) * spec.num_directions)
        ends = [tuple(final[row] for final in finals) for row in rows]
        gradients.insert(0, [run.pull(half, end) for run, half, end in zip(runs, halves, ends, strict=True)])
        d_sequence = np.sum([one.sequence for one in gradients[0]], axis=0)
    weights = RecurrentWeights(tuple(tuple(one.weights for one in directions) for directions in gradients))
    starts = zip(*(one.states for directions in gradients for one in directions), strict=True)
    return RecurrentGradients(weights.owned(), d_sequence, *map(np.stack, starts))
