"""PyTorch's and ONNX's recurrences in `keras.ops`: one step of each cell, and the loop over time.

Products are einsums, because Keras's `matmul` computes float64 in float32 on every backend but TensorFlow. Keras's `tanh` does
the same on JAX, but there is no replacement for it.

Sources: https://docs.pytorch.org/docs/stable/generated/torch.nn.{RNN,LSTM,GRU}.html;
https://onnx.ai/onnx/operators/onnx__{RNN,LSTM,GRU}.html.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from keras import ops

from frameworks.keras.activations import find_activation
from frameworks.layouts import PYTORCH
from frameworks.spec import RecurrentSpec

Tensor = Any
States = tuple[Tensor, ...]
Gates = Mapping[str, Tensor]
Activation = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Direction:
    """One direction of one layer: its spec and its weights.

    Args:
        spec: the spec of the direction.
        weights: tensors by name in torch, without layer and direction, each transposed: (input, gate * hidden). For a GRU that
            resets before the product, the candidate's part of `weight_hh` is separate, as `weight_hh_candidate`.
    """

    spec: RecurrentSpec
    weights: Mapping[str, Tensor]

    def project(self, x: Tensor) -> Tensor:
        """Project inputs, (..., input), to the gates, (..., gate * hidden)."""
        return self._affine(x, "ih")

    def step(self, states: States, projected: Tensor) -> States:
        """Return the states after one time step.

        Args:
            states: h, or h and c, each (batch, hidden); h is (batch, projected) if the layer projects it.
            projected: the result of `project` for the step's input, (batch, gate * hidden).
        """
        act, gate_act = _find(self.spec.activation), _find(self.spec.recurrent_activation)
        x = self._split(projected)
        if self.spec.reset_after:
            stepped = _STEPS[self.spec.cell](x, self._split(self._affine(states[0], "hh")), states, act, gate_act)
        else:
            stepped = self._step_resetting_before(x, states[0], act, gate_act)
        if "weight_hr" not in self.weights:
            return stepped
        h, *rest = stepped
        return (_multiply(h, self.weights["weight_hr"]), *rest)

    def run(self, x: Tensor, states: States, lengths: Tensor | None, *, backward: bool) -> tuple[Tensor, States]:
        """Run over all time steps.

        Beyond a row's length the states do not change and the output is zero, so a backward direction starts at the row's last
        valid step.

        Args:
            x: (time, batch, input).
            states: the initial states, as in `step`.
            lengths: (batch,) int32, the number of valid steps in each row; None if all steps are valid.
            backward: whether the sequence is read from its end.

        Returns:
            The output, (time, batch, hidden), in input time order, and the final states.
        """

        def advance(carry: tuple[Tensor, ...], projected: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
            time, *states = carry
            stepped = self.step(tuple(states), projected)
            if lengths is not None:
                counts = ops.expand_dims(time < lengths, -1)
                stepped = tuple(ops.where(counts, new, old) for new, old in zip(stepped, states, strict=True))
            carry = (time + (-1 if backward else 1), *stepped)
            return carry, carry

        # The time is in the carry, because on TensorFlow a scan over two arrays fails if the number of steps is not known yet.
        first = ops.convert_to_tensor(ops.shape(x)[0] - 1 if backward else 0, dtype="int32")
        (_, *finals), (_, output, *_) = ops.scan(advance, (first, *states), self.project(x), reverse=backward)
        return mask_padding(output, lengths), tuple(finals)

    def _step_resetting_before(self, x: Gates, h: Tensor, act: Activation, gate_act: Activation) -> States:
        of_gates = ops.split(_multiply(h, self.weights["weight_hh"]), 2, axis=-1)
        r, z = (gate_act(x[gate] + recurrent) for gate, recurrent in zip(("reset", "update"), of_gates, strict=True))
        g = act(x["candidate"] + _multiply(r * h, self.weights["weight_hh_candidate"]))
        return ((1 - z) * g + z * h,)

    def _affine(self, x: Tensor, source: str) -> Tensor:
        product = _multiply(x, self.weights[f"weight_{source}"])
        return product + self.weights[f"bias_{source}"] if self.spec.bias else product

    def _split(self, fused: Tensor) -> Gates:
        names = PYTORCH.gates[self.spec.cell]
        return dict(zip(names, ops.split(fused, len(names), axis=-1), strict=True))


def mask_padding(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Set the steps after the end of each row to zero, so that no gradient reaches them.

    Args:
        x: (time, batch, width).
        lengths: (batch,) int32; None if all steps are valid.
    """
    if lengths is None:
        return x
    counts = ops.expand_dims(ops.arange(ops.shape(x)[0], dtype="int32"), -1) < lengths
    return ops.where(ops.expand_dims(counts, -1), x, ops.zeros_like(x))


def _multiply(x: Tensor, weight: Tensor) -> Tensor:
    leading = "tb"[-len(x.shape) + 1 :]  # not an ellipsis, because its gradient takes TensorFlow sixteen times as long
    return ops.einsum(f"{leading}i,io->{leading}o", x, weight)


def _find(name: str) -> Activation:
    """Return an activation that keeps the dtype: on JAX, Keras's tanh turns float64 into float32."""
    function = find_activation(name)
    return lambda x: ops.cast(function(x), x.dtype)


def _rnn_step(x: Gates, h: Gates, states: States, act: Activation, gate_act: Activation) -> States:
    return (act(x["candidate"] + h["candidate"]),)


def _lstm_step(x: Gates, h: Gates, states: States, act: Activation, gate_act: Activation) -> States:
    _, c = states
    i = gate_act(x["input"] + h["input"])
    f = gate_act(x["forget"] + h["forget"])
    g = act(x["candidate"] + h["candidate"])
    o = gate_act(x["output"] + h["output"])
    c = f * c + i * g
    return o * act(c), c


def _gru_step(x: Gates, h: Gates, states: States, act: Activation, gate_act: Activation) -> States:
    z = gate_act(x["update"] + h["update"])
    r = gate_act(x["reset"] + h["reset"])
    g = act(x["candidate"] + r * h["candidate"])
    return ((1 - z) * g + z * states[0],)


_STEPS: Mapping[str, Callable[[Gates, Gates, States, Activation, Activation], States]] = {
    "rnn": _rnn_step,
    "lstm": _lstm_step,
    "gru": _gru_step,
}
