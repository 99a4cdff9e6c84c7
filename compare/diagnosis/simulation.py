"""The recurrence and the call of a port, simulated in float64 with one or more mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

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


_GATE_ACTIVATIONS = ("sigmoid", "hard_sigmoid", "keras2_hard_sigmoid", "tanh", "linear")
_ACTIVATIONS = ("tanh", "relu", "sigmoid", "linear", "softsign", "hard_sigmoid")


def slips(situation: Situation) -> list[Slip]:
    """Return every slip that makes sense in a situation, the likeliest first."""
    return [*_call_slips(situation), *_recurrence_slips(situation.spec)]


def _call_slips(situation: Situation) -> Iterator[Slip]:
    spec = situation.spec
    if situation.backwards:
        yield Slip("input-not-flipped", "input", "forwards", "it reads forwards", "it reads backwards: x.flip(1)")
    yield Slip("batch-first", "axes", "exchanged", "the axes of batch and time are exchanged", "(batch, time, input)")
    yield Slip("batch-first", "axes", "reshaped", "the input is reshaped to (time, batch, input)", "(batch, time, input)")
    if spec.bidirectional:
        yield Slip("backward-not-flipped", "backward", "forwards", "both directions read forwards", "one reads backwards")
    if situation.mask is not None:
        for mistake, value, found in (
            ("mask-ignored", "ignored", "all steps are valid"),
            ("mask-inverted", "inverted", "valid steps are masked"),
            ("mask-read-as-lengths", "lengths", "the first steps of each row are valid, as many as the mask has"),
            ("mask-ignored-backwards", "forward only", "the backward direction reads all steps"),
        ):
            if value != "forward only" or spec.bidirectional:
                yield Slip(mistake, "mask", value, found, "the mask says which steps are valid")
        one, other = ("zeros", "the last valid output")[:: 1 if situation.zero_masked else -1]
        yield Slip("masked-steps-shown-otherwise", "shown", "otherwise", f"masked steps show {other}", f"they show {one}")
    if situation.states is not None:
        yield Slip("state-forgotten", "state", "forgotten", "it starts from zeros", "it starts from the initial states")
        if spec.has_cell_state:
            yield Slip("states-swapped", "state", "exchanged", "the initial states are (c, h)", "(h, c)")
        if spec.bidirectional:
            yield Slip(
                "state-directions-swapped", "state", "directions", "each direction starts from the other's states", "its own"
            )


def _recurrence_slips(spec: RecurrentSpec) -> Iterator[Slip]:
    record = spec.record
    if record.gated:
        for name in _GATE_ACTIVATIONS:
            if name != spec.recurrent_activation:
                yield Slip("recurrent-activation", "recurrent_activation", name, name, spec.recurrent_activation)
    for name in _ACTIVATIONS:
        if name != spec.activation:
            yield Slip("activation", "activation", name, name, spec.activation)
            if spec.has_cell_state:
                yield Slip(
                    "cell-activation",
                    "cell_activation",
                    name,
                    f"output gate * {name}(c)",
                    f"output gate * {spec.activation}(c)",
                )
    if "update" in spec.gates:
        yield Slip(
            "reset-after",
            "reset_after",
            str(not spec.reset_after),
            f"reset_after={not spec.reset_after}",
            f"reset_after={spec.reset_after}",
        )
        yield Slip("update-gate-inverted", "update", "inverted", "(1 - z) * h + z * candidate", "z * h + (1 - z) * candidate")


def run(situation: Situation, made: tuple[Slip, ...] = ()) -> RecurrentOutput:
    """Run the right call with some slips.

    Returns:
        The results, output in the order of reading of a layer that reads backwards.
    """
    chosen = {slip.factor: slip.value for slip in made}
    spec = _spec(situation.spec, chosen)
    inputs, mask = situation.inputs.astype(np.float64), situation.mask
    if situation.backwards and "input" not in chosen:
        inputs, mask = inputs[:, ::-1], None if mask is None else mask[:, ::-1]
    axes = chosen.get("axes")
    if axes:
        inputs = inputs.transpose(1, 0, 2) if axes == "exchanged" else inputs.reshape(inputs.shape[1], inputs.shape[0], -1)
        mask = None
    counts = _counts(mask, inputs.shape[:2], chosen.get("mask", ""))
    rows = spec.num_layers * spec.num_directions
    states = _states(situation, chosen, (rows, len(inputs), spec.hidden_size))
    zero_masked = situation.zero_masked != ("shown" in chosen)
    finals = []
    sequence = inputs
    with np.errstate(all="ignore"):
        for layer in range(spec.num_layers):
            halves = []
            for direction in range(spec.num_directions):
                row = layer * spec.num_directions + direction
                weights = _weights(situation.weights.layers[layer][direction], spec, chosen)
                valid = counts if direction == 0 or chosen.get("mask") != "forward only" else np.ones_like(counts)
                outputs, history = run_direction(
                    weights,
                    spec,
                    sequence,
                    tuple(state[row].astype(np.float64) for state in states),
                    valid,
                    backward=direction == 1 and chosen.get("backward") != "forwards",
                    zero_masked=zero_masked,
                    step=_step(weights, spec, chosen),
                )
                halves.append(outputs)
                finals.append(history[-1])
            sequence = np.concatenate(halves, axis=-1)
    if axes:
        sequence = (
            sequence.transpose(1, 0, 2) if axes == "exchanged" else sequence.reshape(sequence.shape[1], sequence.shape[0], -1)
        )
    if situation.turned_back:
        sequence = sequence[:, ::-1]
    return RecurrentOutput(sequence, *(np.stack(each) for each in zip(*finals, strict=True)))


def _spec(spec: RecurrentSpec, chosen: Mapping[str, str]) -> RecurrentSpec:
    changed = {name: chosen[name] for name in ("activation", "recurrent_activation") if name in chosen}
    if "reset_after" in chosen:
        return replace(spec, reset_after=chosen["reset_after"] == "True", **changed)
    return replace(spec, **changed)


def _counts(mask: Mask | None, shape: tuple[int, ...], choice: str) -> Mask:
    if mask is None or choice == "ignored":
        return np.ones(shape, bool)
    if choice == "inverted":
        return ~mask
    if choice == "lengths":
        return np.arange(shape[1]) < mask.sum(1)[:, None]
    return mask


def _states(situation: Situation, chosen: Mapping[str, str], shape: tuple[int, ...]) -> States:
    names = situation.spec.state_names
    if situation.states is None or chosen.get("state") == "forgotten" or situation.states[0].shape != shape:
        return tuple(np.zeros(shape) for _ in names)
    if chosen.get("state") == "exchanged":
        return situation.states[::-1]
    if chosen.get("state") == "directions":
        order = [row ^ 1 for row in range(shape[0])]
        return tuple(state[order] for state in situation.states)
    return situation.states


def _weights(weights: DirectionWeights, spec: RecurrentSpec, chosen: Mapping[str, str]) -> DirectionWeights:
    """Negate the update gate to invert it: sigmoid(-x) is 1 - sigmoid(x). Give the biases that another `reset_after` has."""
    if "reset_after" in chosen and not spec.reset_after:
        weights = replace(weights, bias=weights.summed_bias(), recurrent_bias=None)
    if "update" not in chosen:
        return weights
    sign = np.where(np.array(weights.gates) == "update", -1.0, 1.0)
    return replace(weights, **{part: array * sign.reshape(-1, *[1] * (array.ndim - 1)) for part, array in weights.arrays()})


def _step(weights: DirectionWeights, spec: RecurrentSpec, chosen: Mapping[str, str]) -> Step | None:
    """Return the step of an LSTM whose cell state has another activation on its way out, or None."""
    if "cell_activation" not in chosen:
        return None
    recurrent, biases = recurrent_weights(weights)
    act, gate = ACTIVATIONS[spec.activation], ACTIVATIONS[spec.recurrent_activation]
    shown = ACTIVATIONS[chosen["cell_activation"]]

    def step(x: dict[str, Array], states: States) -> States:
        h, c = states
        read = {name: x[name] + h @ recurrent[name] + biases[name] for name in weights.gates}
        c = gate(read["forget"]) * c + gate(read["input"]) * act(read["candidate"])
        return gate(read["output"]) * shown(c), c

    return step
