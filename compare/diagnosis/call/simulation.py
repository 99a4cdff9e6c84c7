"""The recurrence and the call of a right layer, simulated in float64 with one or more slips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from frameworks.activations import ACTIVATIONS
from frameworks.adapter import Mask, States
from frameworks.output import RecurrentOutput
from frameworks.reference.forward import Step, recurrent_weights, run_direction
from frameworks.spec import RecurrentSpec
from frameworks.weights import DirectionWeights, RecurrentWeights

Array = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Situation:
    """The right call, as data.

    Args:
        weights: the weights.
        spec: the spec.
        inputs: (batch, time, input).
        states: the initial states, each (layer * direction, batch, hidden), or None for zeros.
        mask: (batch, time) bool, or None.
        backwards: whether the sequence is read from its end.
        zero_masked: whether masked steps show zeros.
        turned_back: whether the output of a layer that reads backwards is turned into input time order.
    """

    weights: RecurrentWeights
    spec: RecurrentSpec
    inputs: Array
    states: States | None = None
    mask: Mask | None = None
    backwards: bool = False
    zero_masked: bool = True
    turned_back: bool = False


@dataclass(frozen=True)
class Slip:
    """One wrong choice in the recurrence or the call.

    Args:
        mistake: its identifier.
        factor: the choice that it is one of; a port makes each choice once.
        value: the wrong choice.
        found: what the port does, in words.
        must_be: what it must do.
    """

    mistake: str
    factor: str
    value: str
    found: str
    must_be: str


_FORMULAS = {"hard_sigmoid": "clip(x / 6 + 0.5, 0, 1)", "keras2_hard_sigmoid": "clip(0.2 * x + 0.5, 0, 1)"}
_FACTORS = (0.5, 2.0, 0.1, 10.0, 1 / 255, 255.0, 0.01, 100.0, -1.0)
"""What inputs are multiplied by in one framework's preprocessing and not in the other's."""
_GATE_ACTIVATIONS = ("sigmoid", "hard_sigmoid", "keras2_hard_sigmoid", "tanh", "linear", "relu")
_ACTIVATIONS = ("tanh", "relu", "sigmoid", "linear", "softsign", "hard_sigmoid", "elu", "selu", "softplus", "gelu", "silu")


def call_slips(situation: Situation) -> Iterator[Slip]:
    """Yield every slip of the call that makes sense in a situation, the likeliest first."""
    spec = situation.spec
    if situation.backwards:
        yield Slip("input-not-flipped", "input", "forwards", "it reads forwards", "it reads backwards: x.flip(1)")
    right = "(batch, time, input)"
    yield Slip("batch-first", "axes", "exchanged", "it takes the batch axis for the time axis", right)
    yield Slip("batch-first", "axes", "reshaped", "the input is reshaped to (time, batch, input), not transposed", right)
    yield Slip("batch-first", "axes", "reshaped twice", "input and output are reshaped, not transposed", right)
    if spec.bidirectional:
        yield Slip("backward-not-flipped", "backward", "forwards", "both directions read forwards", "one reads backwards")
        if spec.num_layers > 1:
            found = "in each layer the output of the backward direction is left in the order in which it reads"
            yield Slip("backward-not-flipped", "backward", "unturned", found, "it is turned back: .flip(1)")
    if situation.mask is not None:
        yield from _mask_slips(spec)
    if situation.states is not None:
        yield from _state_slips(spec)


def _mask_slips(spec: RecurrentSpec) -> Iterator[Slip]:
    right = "steps are valid where the mask is True"
    yield Slip("mask-ignored", "mask", "ignored", "all steps are valid", right)
    yield Slip("mask-inverted", "mask", "inverted", "steps are valid where the mask is False", right)
    found = "in each row the first steps are valid, as many as the mask has True"
    yield Slip("mask-read-as-lengths", "mask", "lengths", found, right)
    if spec.bidirectional:
        found = "the backward direction reads all steps"
        yield Slip("mask-ignored-backwards", "mask", "forward only", found, right)
        yield Slip("mask-ignored-backwards", "mask", "forward only, zeroed", found, right)
        if spec.num_layers > 1:
            yield Slip("mask-ignored-backwards", "mask", "forward only, shown otherwise", found, right)


def _state_slips(spec: RecurrentSpec) -> Iterator[Slip]:
    right = "it starts from the initial states"
    yield Slip("state-forgotten", "state", "forgotten", "it starts from zeros", right)
    if spec.has_cell_state:
        yield Slip("states-swapped", "state", "exchanged", "it starts from (c_0, h_0)", "it starts from (h_0, c_0)")
        yield Slip("state-forgotten", "state", "h only", "it starts from (h_0, zeros)", "it starts from (h_0, c_0)")
        yield Slip("state-forgotten", "state", "h twice", "it starts from (h_0, h_0)", "it starts from (h_0, c_0)")
    if spec.bidirectional:
        found = "each direction starts from the states of the other one"
        yield Slip("state-directions-swapped", "state", "directions", found, "each direction starts from its own")
        yield Slip("state-forgotten", "state", "forward only", "the backward direction starts from zeros", right)
        if spec.has_cell_state:
            found = "it starts from the states as if they were h, h, c, c and not h, c, h, c"
            yield Slip("states-swapped", "state", "grouped", found, "direction by direction, h before c")
    if spec.num_layers > 1:
        yield Slip("state-forgotten", "state", "first layer", "the layers above the first start from zeros", right)


def recurrence_slips(spec: RecurrentSpec) -> Iterator[Slip]:
    """Yield every slip that a single step shows and that makes sense for a spec, the likeliest first."""
    for factor in _FACTORS:
        yield Slip("scaled", "scale", repr(factor), f"it reads the inputs times {factor:.6g}", "the inputs as they are")
    if spec.record.gated:
        for name in _GATE_ACTIVATIONS:
            if name != spec.recurrent_activation:
                found = f"{name}: {_FORMULAS[name]}" if name in _FORMULAS else name
                yield Slip("recurrent-activation", "recurrent_activation", name, found, spec.recurrent_activation)
    for name in _ACTIVATIONS:
        if name != spec.activation:
            yield Slip("activation", "activation", name, name, spec.activation)
            if spec.has_cell_state:
                found, must_be = (f"output gate * {each}(c)" for each in (name, spec.activation))
                yield Slip("cell-activation", "cell_activation", name, found, must_be)
                found = f"{name} for the candidate alone"
                yield Slip("activation", "candidate_activation", name, found, spec.activation)
    if "update" in spec.gates:
        found, must_be = (f"reset_after={each}" for each in (not spec.reset_after, spec.reset_after))
        yield Slip("reset-after", "reset_after", str(not spec.reset_after), found, must_be)
        yield Slip("update-gate-inverted", "update", "inverted", "(1 - z) * h + z * candidate", "z * h + (1 - z) * candidate")


@dataclass(frozen=True, eq=False)
class Simulated:
    """What a simulated call returns.

    Args:
        results: the results; the output is in the order of reading, unless the situation turns it back.
        mask: (batch, time) bool, the valid steps, in the order of the output.
        taken: likewise, the steps that the port takes for valid ones; None if they are those.
    """

    results: RecurrentOutput
    mask: Mask
    taken: Mask | None = None


def run(situation: Situation, made: tuple[Slip, ...] = ()) -> Simulated:
    """Run the right call with some slips."""
    chosen = {slip.factor: slip.value for slip in made}
    spec = _spec(situation.spec, chosen)
    inputs: Array = situation.inputs.astype(np.float64) * float(chosen.get("scale", 1))
    mask = situation.mask
    if situation.backwards and "input" not in chosen:
        inputs, mask = inputs[:, ::-1], None if mask is None else mask[:, ::-1]
    axes = chosen.get("axes", "")
    inputs, mask = (inputs, mask) if not axes else (_entering(inputs, axes), None)
    shown = np.ones(inputs.shape[:2], bool) if mask is None else mask
    valid = _valid(shown, chosen.get("mask", ""))
    states = _states(situation, chosen, (spec.num_layers * spec.num_directions, len(inputs), spec.hidden_size))
    finals: list[States] = []
    sequence: Array = inputs
    with np.errstate(all="ignore"):
        for layer in range(spec.num_layers):
            rows = range(layer * spec.num_directions, (layer + 1) * spec.num_directions)
            starts = [tuple(state[row].astype(np.float64) for state in states) for row in rows]
            ran = [
                _run_direction(situation, chosen, (layer, direction), sequence, start, valid)
                for direction, start in enumerate(starts)
            ]
            finals += [ends for _, ends in ran]
            sequence = np.concatenate([outputs for outputs, _ in ran], axis=-1)
    if axes:
        sequence, shown = _leaving(sequence, axes), np.ones(situation.inputs.shape[:2], bool)
        valid = shown
    if situation.turned_back:
        sequence, shown, valid = sequence[:, ::-1], shown[:, ::-1], valid[:, ::-1]
    return Simulated(RecurrentOutput(sequence, *(np.stack(each) for each in zip(*finals, strict=True))), shown, valid)


def _run_direction(
    situation: Situation, chosen: Mapping[str, str], place: tuple[int, int], sequence: Array, states: States, valid: Mask
) -> tuple[Array, States]:
    """Return the output of one layer and direction in the order of time, and its final states."""
    spec, (layer, direction), choice = _spec(situation.spec, chosen), place, chosen.get("mask", "")
    weights = _weights(situation.weights.layers[layer][direction], spec, chosen)
    outputs, history = run_direction(
        weights,
        spec,
        sequence,
        states,
        np.ones_like(valid) if direction and choice.startswith("forward only") else valid,
        backward=direction == 1 and chosen.get("backward") != "forwards",
        zero_masked=situation.zero_masked != choice.endswith("shown otherwise"),
        step=_step(weights, spec, chosen),
    )
    if direction and choice.endswith("zeroed"):
        outputs = outputs * valid[..., None]
    return outputs[:, ::-1] if direction and chosen.get("backward") == "unturned" else outputs, history[-1]


def _entering(inputs: Array, axes: str) -> Array:
    """Return the inputs as a port reads them that mistakes their axes."""
    exchanged = inputs if axes == "exchanged" else inputs.reshape(inputs.shape[1], inputs.shape[0], -1)
    return np.swapaxes(exchanged, 0, 1)


def _leaving(output: Array, axes: str) -> Array:
    """Return the output as a port returns it that mistakes its axes."""
    exchanged = np.swapaxes(output, 0, 1)
    if axes == "exchanged":
        return exchanged
    return np.reshape(exchanged, output.shape) if axes == "reshaped twice" else output


def _spec(spec: RecurrentSpec, chosen: Mapping[str, str]) -> RecurrentSpec:
    changed: dict[str, Any] = {name: chosen[name] for name in ("activation", "recurrent_activation") if name in chosen}
    if "reset_after" in chosen:
        return replace(spec, reset_after=chosen["reset_after"] == "True", **changed)
    return replace(spec, **changed)


def _valid(mask: Mask, choice: str) -> Mask:
    """Return the steps that a port takes for valid ones."""
    if choice == "ignored":
        return np.ones_like(mask)
    if choice == "inverted":
        return ~mask
    if choice == "lengths":
        lengths: Mask = np.arange(mask.shape[1]) < mask.sum(1)[:, None]
        return lengths
    return mask


def _states(situation: Situation, chosen: Mapping[str, str], shape: tuple[int, ...]) -> States:
    zeros = tuple(np.zeros(shape) for _ in situation.spec.state_names)
    choice, states = chosen.get("state"), situation.states
    if states is None or choice == "forgotten" or states[0].shape != shape:
        return zeros
    by_direction = [row ^ 1 for row in range(shape[0])] if situation.spec.bidirectional else []
    made = {
        "exchanged": states[::-1],
        "h only": (states[0], *zeros[1:]),
        "h twice": (states[0],) * len(states),
        "directions": tuple(state[by_direction] for state in states),
        "grouped": tuple(np.stack(states, axis=1).reshape(len(states), *shape)),
    }
    if choice in made:
        return made[choice]
    count = {"forward only": 1, "first layer": situation.spec.num_directions}.get(choice or "", 0)
    kept = np.arange(shape[0])[:, None, None] % (2 if choice == "forward only" else shape[0]) < count
    return tuple(np.where(kept, state, 0) for state in states) if count else states


def _weights(weights: DirectionWeights, spec: RecurrentSpec, chosen: Mapping[str, str]) -> DirectionWeights:
    """Negate the update gate to invert it: sigmoid(-x) is 1 - sigmoid(x). Give the biases that another `reset_after` has."""
    if "reset_after" in chosen and not spec.reset_after:
        weights = replace(weights, bias=weights.summed_bias(), recurrent_bias=None)
    if "update" not in chosen:
        return weights
    sign = np.where(np.array(weights.gates) == "update", -1.0, 1.0)
    parts: dict[str, Any] = {part: array * sign.reshape(-1, *[1] * (array.ndim - 1)) for part, array in weights.arrays()}
    return replace(weights, **parts)


def _step(weights: DirectionWeights, spec: RecurrentSpec, chosen: Mapping[str, str]) -> Step | None:
    """Return the step of an LSTM whose candidate or cell state has an activation of its own, or None."""
    if not {"cell_activation", "candidate_activation"} & set(chosen):
        return None
    recurrent, biases = recurrent_weights(weights)
    gate = ACTIVATIONS[spec.recurrent_activation]
    entering = ACTIVATIONS[chosen.get("candidate_activation", spec.activation)]
    leaving = ACTIVATIONS[chosen.get("cell_activation", spec.activation)]

    def step(x: dict[str, Array], states: States) -> States:
        h, c = states
        read = {name: x[name] + h @ recurrent[name] + biases[name] for name in weights.gates}
        c = gate(read["forget"]) * c + gate(read["input"]) * entering(read["candidate"])
        return gate(read["output"]) * leaving(c), c

    return step
