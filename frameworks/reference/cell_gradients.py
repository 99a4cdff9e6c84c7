"""The gradients of one step of each cell: its equations in `frameworks.reference.forward`, from the last line to the first.

d_x is the gradient of the scalar with respect to x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from frameworks.activations import ACTIVATIONS, PRODUCTS
from frameworks.adapter import States
from frameworks.reference.forward import Array, Gates, recurrent_weights
from frameworks.spec import RecurrentSpec
from frameworks.weights import DirectionWeights


@dataclass(frozen=True)
class _Differentiable:
    """An activation and its vector-Jacobian product."""

    name: str

    def __call__(self, x: Array) -> Array:
        return ACTIVATIONS[self.name](x)

    def pull(self, x: Array, d_y: Array) -> Array:
        return PRODUCTS[self.name](x, d_y)


@dataclass(frozen=True)
class Pulled:
    """The gradients of one step.

    Args:
        projected: the gradient with respect to the projected inputs, (batch, hidden), by gate.
        recurrent: the gradient with respect to the recurrent product and bias, (batch, hidden), by gate.
        read: the factor of the recurrent kernel in the recurrent product, (batch, hidden), by gate.
        states: the gradients with respect to the states before the step.
    """

    projected: Gates
    recurrent: Gates
    read: Gates
    states: States


Pull = Callable[[Gates, States, States], Pulled]
"""A function of the projected inputs, the states before a step, and the gradients with respect to the states after it."""


def make_pull(weights: DirectionWeights, spec: RecurrentSpec) -> Pull:
    """Return the function that differentiates one step of a direction with these weights."""
    recurrent, biases = recurrent_weights(weights)
    pulls = {"rnn": _pull_rnn, "lstm": _pull_lstm, "gru": _pull_gru if spec.reset_after else _pull_gru_reset_before}
    act, gate_act = _Differentiable(spec.activation), _Differentiable(spec.recurrent_activation)
    return partial(pulls[spec.cell], recurrent, biases, act, gate_act)


def _through(U: Gates, d: Gates) -> Array:
    """Return the gradient with respect to h through the recurrent products of all gates."""
    total: Array = np.sum([d[gate] @ U[gate].T for gate in d], axis=0)
    return total


def _pull_rnn(
    U: Gates, b: Gates, act: _Differentiable, gate_act: _Differentiable, x: Gates, states: States, d_states: States
) -> Pulled:
    (h,), (d_h,) = states, d_states
    d = {"candidate": act.pull(x["candidate"] + h @ U["candidate"] + b["candidate"], d_h)}
    return Pulled(d, d, {"candidate": h}, (_through(U, d),))


def _pull_lstm(
    U: Gates, b: Gates, act: _Differentiable, gate_act: _Differentiable, x: Gates, states: States, d_states: States
) -> Pulled:
    (h, c), (d_h, d_c) = states, d_states
    a = {gate: x[gate] + h @ U[gate] + b[gate] for gate in x}
    i, f, o = (gate_act(a[gate]) for gate in ("input", "forget", "output"))
    g = act(a["candidate"])
    new_c = f * c + i * g
    d_c = d_c + act.pull(new_c, d_h * o)
    d = {
        "input": gate_act.pull(a["input"], d_c * g),
        "forget": gate_act.pull(a["forget"], d_c * c),
        "candidate": act.pull(a["candidate"], d_c * i),
        "output": gate_act.pull(a["output"], d_h * act(new_c)),
    }
    return Pulled(d, d, dict.fromkeys(d, h), (_through(U, d), d_c * f))


def _pull_gru(
    U: Gates, b: Gates, act: _Differentiable, gate_act: _Differentiable, x: Gates, states: States, d_states: States
) -> Pulled:
    (h,), (d_h,) = states, d_states
    q = {gate: h @ U[gate] + b[gate] for gate in x}
    a_z, a_r = x["update"] + q["update"], x["reset"] + q["reset"]
    z, r = gate_act(a_z), gate_act(a_r)
    a_g = x["candidate"] + r * q["candidate"]
    d_g = act.pull(a_g, d_h * (1 - z))
    d_z = gate_act.pull(a_z, d_h * (h - act(a_g)))
    d_r = gate_act.pull(a_r, d_g * q["candidate"])
    d = {"update": d_z, "reset": d_r, "candidate": d_g}
    d_q = d | {"candidate": d_g * r}
    return Pulled(d, d_q, dict.fromkeys(d, h), (d_h * z + _through(U, d_q),))


def _pull_gru_reset_before(
    U: Gates, b: Gates, act: _Differentiable, gate_act: _Differentiable, x: Gates, states: States, d_states: States
) -> Pulled:
    (h,), (d_h,) = states, d_states
    a_z, a_r = x["update"] + h @ U["update"], x["reset"] + h @ U["reset"]
    z, r = gate_act(a_z), gate_act(a_r)
    a_g = x["candidate"] + (r * h) @ U["candidate"]
    d_g = act.pull(a_g, d_h * (1 - z))
    d_rh = d_g @ U["candidate"].T
    d = {"update": gate_act.pull(a_z, d_h * (h - act(a_g))), "reset": gate_act.pull(a_r, d_rh * h)}
    d_before = d_h * z + d_rh * r + _through(U, d)
    d |= {"candidate": d_g}
    return Pulled(d, d, {"update": h, "reset": h, "candidate": r * h}, (d_before,))
