"""The recurrences in plain float64 NumPy: a reference that belongs to neither framework.

Sources: SimpleRNN and LSTM are the same in Keras and torch (https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html).
The GRU that resets after the product is that of torch, CuDNN and Keras with reset_after=True. The GRU that resets before it is
that of Keras with reset_after=False, from Cho et al. 2014, https://arxiv.org/abs/1406.1078.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from frameworks.activations import ACTIVATIONS, Activation
from frameworks.adapter import Mask, States, check_call
from frameworks.output import RecurrentOutput
from frameworks.spec import RecurrentSpec
from frameworks.weights import DirectionWeights, RecurrentWeights, check_weights

Array = npt.NDArray[np.floating]
Gates = dict[str, Array]
Step = Callable[[Gates, States], States]


def run_reference(
    weights: RecurrentWeights,
    spec: RecurrentSpec,
    inputs: npt.NDArray[np.floating],
    initial_state: npt.NDArray[np.floating] | States | None = None,
    mask: Mask | None = None,
    *,
    zero_masked: bool = True,
) -> RecurrentOutput:
    """Compute outputs and final states in float64.

    A masked step does not change the states. Its output is zero, or repeats the last valid output (zero if there is none).

    Args:
        weights: the weights of a layer with this spec.
        spec: the recurrence; its dtype is that of the arguments, while the arithmetic is float64.
        inputs: (batch, time, input).
        initial_state: h_0 or (h_0, c_0), each (layer * direction, batch, hidden); zeros when None.
        mask: (batch, time) bool, True at valid steps; None if all steps are valid.
        zero_masked: whether the output of a masked step is zero, rather than the last valid output.

    Returns:
        float64 arrays, with the shapes of `RecurrentOutput`.

    Raises:
        GatewiseError: for arguments that do not fit the spec.
    """
    check_weights(weights, spec)
    states, _ = check_call(spec, inputs, initial_state, mask)
    counts = np.ones(inputs.shape[:2], dtype=bool) if mask is None else mask
    sequence: Array = inputs.astype(np.float64)
    finals: list[States] = []
    with np.errstate(all="ignore"):
        for layer in range(spec.num_layers):
            halves = []
            for direction in range(spec.num_directions):
                row = layer * spec.num_directions + direction
                start = tuple(state[row].astype(np.float64) for state in states)
                outputs, history = run_direction(
                    weights.layers[layer][direction],
                    spec,
                    sequence,
                    start,
                    counts,
                    backward=direction == 1,
                    zero_masked=zero_masked,
                )
                halves.append(outputs)
                finals.append(history[-1])
            sequence = np.concatenate(halves, axis=-1)
    return RecurrentOutput(sequence, *(np.stack(rows) for rows in zip(*finals, strict=True)))


def run_direction(
    weights: DirectionWeights,
    spec: RecurrentSpec,
    sequence: Array,
    states: States,
    counts: Mask,
    *,
    backward: bool,
    zero_masked: bool,
    step: Step | None = None,
) -> tuple[Array, list[States]]:
    """Run one direction of one layer.

    Args:
        weights: the weights of the direction.
        spec: the spec of the whole stack.
        sequence: (batch, time, input), float64.
        states: the initial states, each (batch, hidden), float64.
        counts: (batch, time) bool, True at valid steps.
        backward: whether the sequence is read from its end.
        zero_masked: as in `run_reference`.
        step: another step than that of the spec.

    Returns:
        The output, (batch, time, hidden), in input time order; and the states in the order of reading, from the initial states
        to those after the last step.
    """
    step, project = step or make_step(weights, spec), make_projection(weights)
    outputs = np.zeros((*sequence.shape[:2], spec.hidden_size))
    shown = np.zeros((len(sequence), spec.hidden_size))
    history = [states]
    for time in reading_order(sequence, backward=backward):
        stepped = step(project(sequence[:, time]), states)
        keep = counts[:, time, None]
        states = tuple(np.where(keep, new, old) for new, old in zip(stepped, states, strict=True))
        shown = np.where(keep, states[0], 0 if zero_masked else shown)
        outputs[:, time] = shown
        history.append(states)
    return outputs, history


def reading_order(sequence: Array, *, backward: bool) -> range:
    """Return the time steps of (batch, time, input) in the order in which a direction reads them."""
    times = range(sequence.shape[1])
    return times[::-1] if backward else times


def make_projection(weights: DirectionWeights) -> Callable[[Array], Gates]:
    """Return the function that projects the inputs of one time step, (batch, input), to (batch, hidden) by gate."""
    kernel = weights.kernel.astype(np.float64, copy=False)
    bias = np.zeros((len(weights.gates), 1, kernel.shape[2]))
    if weights.bias is not None:
        bias = weights.bias.astype(np.float64)[:, None]
    return lambda x: dict(zip(weights.gates, x @ kernel + bias, strict=True))


def make_step(weights: DirectionWeights, spec: RecurrentSpec) -> Step:
    """Return the function that maps the projected inputs by gate and the states to the next states, each (batch, hidden)."""
    steps = {"rnn": _rnn_step, "lstm": _lstm_step, "gru": _gru_step if spec.reset_after else _gru_reset_before_step}
    recurrent, biases = recurrent_weights(weights)
    return steps[spec.cell](recurrent, biases, ACTIVATIONS[spec.activation], ACTIVATIONS[spec.recurrent_activation])


def recurrent_weights(weights: DirectionWeights) -> tuple[Gates, Gates]:
    """Return each gate's recurrent kernel, (hidden, hidden), and recurrent bias, (hidden,), which is zero if there is none."""
    kernels = weights.recurrent_kernel.astype(np.float64, copy=False)
    recurrent = dict(zip(weights.gates, kernels, strict=True))
    if weights.recurrent_bias is None:
        return recurrent, {gate: np.zeros(kernel.shape[1]) for gate, kernel in recurrent.items()}
    return recurrent, dict(zip(weights.gates, weights.recurrent_bias.astype(np.float64), strict=True))


def _rnn_step(U: Gates, b: Gates, act: Activation, gate_act: Activation) -> Step:
    def step(x: Gates, states: States) -> States:
        (h,) = states
        return (act(x["candidate"] + h @ U["candidate"] + b["candidate"]),)

    return step


def _lstm_step(U: Gates, b: Gates, act: Activation, gate_act: Activation) -> Step:
    def step(x: Gates, states: States) -> States:
        h, c = states
        i = gate_act(x["input"] + h @ U["input"] + b["input"])
        f = gate_act(x["forget"] + h @ U["forget"] + b["forget"])
        g = act(x["candidate"] + h @ U["candidate"] + b["candidate"])
        o = gate_act(x["output"] + h @ U["output"] + b["output"])
        c = f * c + i * g
        return o * act(c), c

    return step


def _gru_step(U: Gates, b: Gates, act: Activation, gate_act: Activation) -> Step:
    def step(x: Gates, states: States) -> States:
        (h,) = states
        z = gate_act(x["update"] + h @ U["update"] + b["update"])
        r = gate_act(x["reset"] + h @ U["reset"] + b["reset"])
        g = act(x["candidate"] + r * (h @ U["candidate"] + b["candidate"]))
        return (z * h + (1 - z) * g,)

    return step


def _gru_reset_before_step(U: Gates, b: Gates, act: Activation, gate_act: Activation) -> Step:
    def step(x: Gates, states: States) -> States:
        (h,) = states
        z = gate_act(x["update"] + h @ U["update"])
        r = gate_act(x["reset"] + h @ U["reset"])
        g = act(x["candidate"] + (r * h) @ U["candidate"])
        return (z * h + (1 - z) * g,)

    return step
