"""A recurrent network written out in NumPy, with what a port may do otherwise as its options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tests.acceptance.diagnose.settings import GATES, Array, Weights

Results = tuple[Array, Array, Array | None]
"""output (batch, time, direction * hidden), h_n and c_n (layer * direction, batch, hidden)."""


def _sigmoid(z: Array) -> Array:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * z)), z.dtype)


ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "relu": lambda z: np.maximum(z, 0),
    "linear": lambda z: z,
    "hard_sigmoid": lambda z: np.clip(z / 6 + 0.5, 0, 1).astype(z.dtype),
    "softsign": lambda z: z / (1 + np.abs(z)),
}


@dataclass
class Moment:
    """What a step has at hand: the input, the states before it, the weights, and what the gates receive."""

    x: Array
    h: Array
    c: Array | None
    weights: Mapping[str, Array]
    time: int = 0


def _same_mask(mask: Array, _: int) -> Array | None:
    return mask


@dataclass
class Recurrence:
    """How the network computes; the defaults are right.

    Args:
        cell: the cell.
        activation: of the candidate, and of the cell state on its way out.
        recurrent_activation: of the gates.
        cell_activation: of the cell state on its way out, where it is another one.
        inverted: whether the update gate weighs the candidate.
        masked: what the output is at masked steps: "repeated" or "zero".
        masks: the mask of each direction, made of the given one.
        backward: "right", "reads forwards" or "not turned back".
        receives: what becomes of what a gate receives, by the gate's name.
        after: what becomes of the states after a step.
        between: what becomes of a layer's output, given its input.
    """

    cell: str
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    cell_activation: str | None = None
    inverted: bool = False
    masked: str = "repeated"
    masks: Callable[[Array, int], Array | None] = _same_mask
    backward: str = "right"
    receives: Callable[[str, Array, Moment], Array] | None = None
    after: Callable[[Moment, Array, Array | None], tuple[Array, Array | None]] | None = None
    between: Callable[[Array, Array], Array] | None = None

    @property
    def builtin(self) -> bool:
        """Whether torch's modules and Keras's layers compute this by themselves."""
        return self == Recurrence(self.cell, self.activation, self.recurrent_activation, masked=self.masked)

    def run(self, weights: Weights, inputs: Array, mask: Array | None, states: tuple[Array, ...] | None) -> Results:
        """Return the results over inputs (batch, time, input)."""
        h_n, c_n = [], []
        for layer, directions in enumerate(weights):
            outputs = []
            for direction, arrays in enumerate(directions):
                at = layer * len(directions) + direction
                initial = [each[at] for each in states] if states is not None else None
                seen = mask if mask is None else self.masks(mask, direction)
                output, h, c = self._direction(arrays, inputs, seen, initial, direction)
                outputs.append(output)
                h_n.append(h)
                c_n.append(c)
            joined = np.concatenate(outputs, axis=-1)
            inputs = joined if self.between is None else self.between(joined, inputs)
        return inputs, np.stack(h_n), np.stack([c for c in c_n if c is not None]) if self.cell == "lstm" else None

    def _direction(
        self, weights: Mapping[str, Array], inputs: Array, mask: Array | None, initial: list[Array] | None, direction: int
    ) -> tuple[Array, Array, Array | None]:
        batch, steps, backward = *inputs.shape[:2], direction == 1
        zeros = np.zeros((batch, weights["recurrent"].shape[-1]), inputs.dtype)
        h = initial[0] if initial else zeros
        c = (initial[1] if initial else zeros) if self.cell == "lstm" else None
        order = range(steps)[::-1] if backward and self.backward != "reads forwards" else range(steps)
        outputs, shown = [zeros] * steps, zeros
        for place, time in enumerate(order):
            moment = Moment(inputs[:, time], h, c, weights, place)
            new_h, new_c = self._step(moment)
            if self.after is not None:
                new_h, new_c = self.after(moment, new_h, new_c)
            valid = np.ones((batch, 1), bool) if mask is None else mask[:, time, None]
            shown = np.where(valid, new_h, zeros if self.masked == "zero" else shown)
            h = np.where(valid, new_h, h)
            c = np.where(valid, new_c, c) if c is not None and new_c is not None else None
            outputs[place if backward and self.backward == "not turned back" else time] = shown
        return np.stack(outputs, axis=1), h, c

    def _step(self, moment: Moment) -> tuple[Array, Array | None]:
        h, w = moment.h, moment.weights
        act, squash = ACTIVATIONS[self.activation], ACTIVATIONS[self.recurrent_activation]

        def received(gate: int, hidden: Array = h, share: Array | float = 1.0) -> Array:
            from_h = hidden @ w["recurrent"][gate] + w["bias"][1][gate]
            z: Array = moment.x @ w["kernel"][gate] + w["bias"][0][gate] + share * from_h
            return z if self.receives is None else self.receives(GATES[self.cell][gate], z.astype(h.dtype), moment)

        if self.cell == "rnn":
            return act(received(0)), None
        if self.cell == "lstm":
            i, f, o = (squash(received(gate)) for gate in (0, 1, 3))
            c = f * moment.c + i * act(received(2))
            return o * ACTIVATIONS[self.cell_activation or self.activation](c), c
        z, r = squash(received(0)), squash(received(1))
        candidate = act(received(2, share=r) if self.cell == "gru" else received(2, r * h))
        new, old = (z, 1 - z) if self.inverted else (1 - z, z)
        return old * h + new * candidate, None
