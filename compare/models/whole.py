"""The whole results of a pair of recurrent layers, whatever their own calls return of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from compare.groundwork.calls import Call
from compare.models.pairing.pair import Pair
from compare.models.recording.recorded import Recorded, sequences_of
from frameworks import rows
from frameworks.adapter import Adapter, Mask, States
from frameworks.errors import GatewiseError
from frameworks.output import RecurrentOutput
from frameworks.reference.forward import run_reference
from frameworks.registry import adapt, build
from frameworks.spec import RecurrentSpec
from frameworks.weights import RecurrentWeights

Array = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Whole:
    """Both layers of a pair as one layer each, and what they computed.

    Args:
        expected: the adapter of the expected side.
        actual: that of the actual side.
        call: what the expected layer was called with.
        own: what the actual one was called with, in the same order of time.
        wanted: the results of the expected layer.
        found: those of the actual one in its model; None if its call cannot be reproduced.
        alone: those of the actual one, called with what the expected one was called with.
    """

    expected: Adapter
    actual: Adapter
    call: Call
    own: Call
    wanted: RecurrentOutput
    found: RecurrentOutput | None
    alone: RecurrentOutput | None

    @property
    def state_shape(self) -> tuple[int, ...]:
        """(layer * direction, batch, hidden)."""
        spec = self.expected.spec
        return (spec.num_layers * spec.num_directions, len(self.call.inputs), spec.hidden_size)

    @property
    def turned(self) -> bool:
        """Whether only one of the two reads the sequence from its end, so that the port must flip it."""
        return _turned(self.expected) != _turned(self.actual)


def whole_of(pair: Pair) -> Whole | None:
    """Return both sides of a recurrent pair as one layer each, with their results; None if they cannot be run."""
    try:
        one, two = _as_one(pair.expected, pair.actual), _as_one(pair.actual, pair.expected)
        if one is None or two is None:
            return None
        call = _call(one, pair.expected, pair.actual)
        wanted = run(one, call)
    except GatewiseError:
        return None
    turned = _turned(one) != _turned(two)
    try:
        own = _call(two, pair.actual, pair.expected, turned=turned)
    except GatewiseError:
        return Whole(one, two, call, call, wanted, None, None)
    try:
        found = _found(two, pair.actual, own, turned=turned)
    except GatewiseError:
        found = None
    same_call = own.inputs.shape == call.inputs.shape and np.array_equal(own.inputs, call.inputs) and _same_rest(own, call)
    alone = found if same_call else _alone(two, call, zero_masked=one.zeroes_masked_steps)
    return Whole(one, two, call, own, wanted, found, alone)


def _same_rest(one: Call, other: Call) -> bool:
    if (one.mask is None) != (other.mask is None):
        return False
    if one.mask is not None and other.mask is not None and not np.array_equal(one.mask, other.mask):
        return False
    states = one.initial_state or (), other.initial_state or ()
    return len(states[0]) == len(states[1]) and all(np.array_equal(*each) for each in zip(*states, strict=True))


def run(adapter: Adapter, call: Call) -> RecurrentOutput:
    """Call a layer, which may read the sequence in the other direction by itself, and return its output in input time order."""
    if call.backwards == _turned(adapter):
        return adapter.forward(call.inputs, call.initial_state, call.mask)
    inputs = np.ascontiguousarray(call.inputs[:, ::-1])
    mask = None if call.mask is None else np.ascontiguousarray(call.mask[:, ::-1])
    result = adapter.forward(inputs, call.initial_state, mask)
    return turned_output(result)


def turned_output(result: RecurrentOutput) -> RecurrentOutput:
    """Return the same results with the output in the other order of time."""
    return RecurrentOutput(np.asarray(result.output)[:, ::-1], result.h_n, result.c_n)


def _alone(adapter: Adapter, call: Call, *, zero_masked: bool) -> RecurrentOutput | None:
    try:
        return run(adapter, call)
    except GatewiseError:
        pass
    try:  # a mask that torch cannot pack
        states = call.initial_state
        result = run_reference(
            adapter.get_weights(), adapter.spec, call.read_inputs, states, call.read_mask, zero_masked=zero_masked
        )
    except GatewiseError:
        return None
    return call.in_input_order(result)


def _turned(adapter: Adapter) -> bool:
    return adapter.options is not None and adapter.options.go_backwards


def _as_one(calls: Sequence[Recorded], partner: Sequence[Recorded]) -> Adapter | None:
    """Return the adapter of a layer, or of several that are together what the partner is: a stack, or two directions."""
    natives = list({id(call.native): call.native for call in calls}.values())
    if len(natives) == 1:
        return calls[0].adapter
    adapters = [call.adapter for call in calls if call.adapter is not None]
    spec = partner[0].adapter.spec if partner[0].adapter is not None else adapters[0].spec
    if spec.num_directions == adapters[0].spec.num_directions:
        try:
            return adapt(natives)
        except GatewiseError:
            pass
    return _joined(adapters, spec)


def _joined(adapters: Sequence[Adapter], like: RecurrentSpec) -> Adapter | None:
    """Return a new layer with the weights of several."""
    directions = [each for adapter in adapters for row in adapter.get_weights().layers for each in row]
    size = like.num_directions
    computed = {(each.spec.activation, each.spec.recurrent_activation, each.spec.reset_after) for each in adapters}
    if len(directions) != like.num_layers * size or len(computed) > 1:
        return None
    first = adapters[0].spec
    spec = RecurrentSpec(
        first.cell,
        first.input_size,
        first.hidden_size,
        like.num_layers,
        bidirectional=like.bidirectional,
        bias=first.bias,
        dtype=first.dtype,
        activation=first.activation,
        recurrent_activation=first.recurrent_activation,
        reset_after=first.reset_after,
    )
    weights = RecurrentWeights(tuple(tuple(directions[at : at + size]) for at in range(0, len(directions), size)))
    names = [adapters[0].framework, *(row.name for row in rows.FRAMEWORKS if row.name != adapters[0].framework)]
    for name in names:
        try:
            joined = build("keras" if name == "keras" else "pytorch", spec, seed=0)
            joined.set_weights(weights)
        except GatewiseError:
            continue
        return joined
    return None


def _call(adapter: Adapter, calls: Sequence[Recorded], partner: Sequence[Recorded], *, turned: bool = False) -> Call:
    """Return a recorded call in the common form; `turned` flips it into the order of time of the other side."""
    first = calls[0]
    if first.adapter is not None and first.adapter.is_cell and len(calls) > 1:
        inputs, steps = np.stack([call.inputs[0] for call in calls], axis=1), None
    else:
        inputs, steps = sequences_of(first, partner[0])[0]
    inputs = np.ascontiguousarray(inputs[:, ::-1] if turned else inputs).astype(adapter.spec.dtype)
    mask: Mask | None = None if steps is None or steps.all() else np.ascontiguousarray(steps[:, ::-1] if turned else steps)
    return Call("", inputs, _states(adapter, calls), mask, backwards=_turned(adapter) != turned)


def _states(adapter: Adapter, calls: Sequence[Recorded]) -> States | None:
    """Return the initial states of recorded calls in the common form, (layer * direction, batch, hidden); None for zeros."""
    names, dtype = adapter.spec.state_names, adapter.spec.dtype
    distinct = calls[:1] if len({id(call.native) for call in calls}) == 1 else calls
    rows: list[list[Array]] = [[] for _ in names]
    given = False
    for call in distinct:
        found = states_of(call, len(names))
        given = given or found is not None
        spec = call.adapter.spec if call.adapter is not None else adapter.spec
        size = (spec.num_layers * spec.num_directions, len(calls[0].sequence), spec.hidden_size)
        for at in range(len(names)):
            rows[at].append(np.zeros(size, dtype) if found is None else found[at].astype(dtype))
    return tuple(np.concatenate(row) for row in rows) if given else None


def states_of(call: Recorded, count: int) -> list[Array] | None:
    """Return the initial states of a recorded call, each (direction, batch, hidden), or None.

    Args:
        call: the call.
        count: how many states a direction has.
    """
    given = [*call.inputs[1:], *(call.given.get("initial_state") or ()), *(call.given.get("hx") or ())]
    given += call.given.get("states") or ()
    if not given or len(given) % count:
        return None
    if call.adapter is not None and call.adapter.options is None:
        return [each if each.ndim == 3 else each[None] if call.adapter.is_cell else each[:, None] for each in given[:count]]
    if any(each.ndim != 2 for each in given):
        return None
    return [np.stack(given[at::count]) for at in range(count)]


def _found(adapter: Adapter, calls: Sequence[Recorded], own: Call, *, turned: bool) -> RecurrentOutput:
    """Return what a layer computed in its model: as recorded, if its call returns all of it."""
    first = calls[0]
    count = len(adapter.spec.state_names)
    one_module = len({id(call.native) for call in calls}) == 1
    if adapter.is_cell and one_module and adapter.options is None:
        output = np.stack([call.outputs[0] for call in calls], axis=1)
        return own.in_input_order(RecurrentOutput(output, *(state[None] for state in calls[-1].outputs[:count])))
    plain = adapter.framework == "pytorch" and adapter.options is None and one_module
    if not plain or len(first.outputs) != count + 1 or first.inputs[0].ndim != 3:
        return run(adapter, own)
    output = first.outputs[0]
    output = output.swapaxes(0, 1) if adapter.time_major and not first.packed else output
    if missing := own.inputs.shape[1] - output.shape[1]:
        output = np.pad(output, ((0, 0), (0, missing), (0, 0)))
    return RecurrentOutput(output[:, ::-1] if turned else output, *first.outputs[1:])
