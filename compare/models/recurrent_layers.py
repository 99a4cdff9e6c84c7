"""What is wrong with a recurrent layer of a model, and where in its results it shows."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.diagnosis.diagnosing import diagnose
from compare.diagnosis.result import Diagnosis
from compare.groundwork.calls import Call
from compare.models.judged import Judged
from compare.models.recording.recorded import arrays_in, to_array
from compare.models.whole import Whole, run
from compare.returns.mapping import returns_map
from frameworks.errors import GatewiseError
from frameworks.registry import adapt, owner_name

Array = npt.NDArray[Any]


def diagnose_pair(judged: Judged) -> tuple[Diagnosis | None, str]:
    """Return what `diagnose` says of the layer, or of its call in the model, and the fix."""
    whole = judged.whole
    if whole is None:
        return None, ""
    diagnosis = _of_layer(whole)
    if diagnosis is None or diagnosis.verdict in ("right", "cannot be seen"):
        called = _of_call(whole)
        diagnosis = called if called is not None and not called else diagnosis
    fixes = [finding.fix for finding in diagnosis.findings] if diagnosis is not None else []
    named = [finding.mistake for finding in diagnosis.findings] if diagnosis is not None else []
    if fixes and fix_of_mask(judged) and not any("mask" in each for each in named):
        fixes.append(fix_of_mask(judged))  # the diagnosis is of the layer alone
    fix = "\n".join(fixes) or _fix_of_call(judged)
    return diagnosis, fix


def with_names(fix: str, judged: Judged) -> str:
    """Return the code that mends a recurrent layer, with a comment that says which layers its names stand for."""
    (one, two), natives = judged.pair.names, judged.pair.natives
    keras = [owner_name(each) == "keras" for each in natives]
    stand = {"right": f"the expected {one}", "port": f"the actual {two}"}
    if keras[0] != keras[1]:
        layer, rnn = (stand["right"], stand["port"]) if keras[0] else (stand["port"], stand["right"])
        stand |= {"layer": layer, "layers": layer, "rnn": rnn}
    used = [f"{word} is {name}" for word, name in stand.items() if re.search(rf"(?<![a-z] )\b{word}\b(?=\.\w|[,()\[])", fix)]
    return f"{fix}\n# here {', '.join(used)}" if used else fix


def diagnose_as_called(judged: Judged) -> Diagnosis | None:
    """Return what `diagnose` names in a cell, or in a module of the user's own in the place of a recurrent layer; else None."""
    one, two = judged.pair.expected[0], judged.pair.actual[0]
    several = len(judged.pair.expected) + len(judged.pair.actual) > 2
    if several or judged.alone_error is None or not (one.family.name == "recurrent" or _CELLS & _classes(one.native)):
        return None
    try:
        diagnosis = diagnose(one.native, two.native)
    except (GatewiseError, ValueError):
        return None
    return diagnosis if diagnosis.findings else None


_CELLS = {"LSTMCell", "GRUCell", "SimpleRNNCell", "RNNCellBase"}


def _classes(native: Any) -> set[str]:
    return {base.__name__ for base in type(native).__mro__}


def forgotten_states(judged: Judged) -> list[str]:
    """Return what mends a layer that begins without the states that the expected one has kept from its last call."""
    one, two = judged.pair.expected[0], judged.pair.actual[0]
    if one.adapter is None or not getattr(one.native, "stateful", False) or "initial_state" not in one.given:
        return []
    try:
        anew = one.adapter.forward(one.sequence.astype(one.adapter.spec.dtype), None, one.steps).h_n
    except GatewiseError:
        return []
    if anew is None or not any(each.shape == anew.shape and np.allclose(each, anew, atol=1e-5) for each in two.outputs[1:]):
        return []
    return [f"{two.name} begins without states, and must begin with those of its last call"]


def unlike_in_a_stack(judged: Judged) -> list[str]:
    """Return the options in which the layers of a stack differ from the layer that is their partner."""
    one, two = judged.pair.expected, judged.pair.actual
    words = []
    for right, own in product(one, two):
        if right.adapter is None or own.adapter is None:
            continue
        for name in ("activation", "recurrent_activation", "reset_after"):
            must_be, is_ = getattr(right.adapter.spec, name), getattr(own.adapter.spec, name)
            if must_be != is_:
                words.append(f"{name} of {own.name} must be {must_be}, but is {is_}")
    return list(dict.fromkeys(words)) if 1 in (len(one), len(two)) else []


def diagnose_call(judged: Judged) -> Diagnosis | None:
    """Return what `diagnose` says of the call of a layer that gets the right sequence, and other states; None otherwise."""
    whole = judged.whole
    if whole is None or whole.found is None or not _same_sequence(judged):
        return None
    found = _of_call(whole)
    return found if found is not None and found.findings else None


def _same_sequence(judged: Judged) -> bool:
    one, two = judged.inputs["input"]
    return one.shape == two.shape and bool(np.allclose(one, two, rtol=1e-4, atol=1e-5))


def _of_layer(whole: Whole) -> Diagnosis | None:
    try:
        return diagnose(whole.expected, whole.actual.native)
    except GatewiseError:
        return None


def _of_call(whole: Whole) -> Diagnosis | None:
    """Diagnose the layer as the model calls it: with its own mask and states in the place of those that it must get."""
    right, native = whole.expected, whole.actual.native

    def port(inputs: Any, mask: Any = None, initial_state: Any = None) -> Any:
        x = to_array(inputs)
        x = x.swapaxes(0, 1) if right.time_major else x
        call = Call("", x, _own_states(whole, initial_state, len(x)), _own_mask(whole, mask, x), whole.call.backwards)
        result = run(adapt(native), call)
        if right.options is not None:
            output = result.output[:, ::-1] if whole.call.backwards and result.output is not None else result.output
            return returns_map(right.spec, right.options).to_keras(output, result.h_n, result.c_n)
        output = np.asarray(result.output)
        states = [each for each in (result.h_n, result.c_n) if each is not None]
        return (output.swapaxes(0, 1) if right.time_major else output, *states)

    try:
        return diagnose(right, port, whole.call.inputs, initial_state=whole.call.initial_state, mask=whole.call.mask)
    except (GatewiseError, ValueError):
        return None


def _own_mask(whole: Whole, given: Any, inputs: Array) -> Array | None:
    own = whole.own.mask
    if own is None or (given is not None and whole.call.mask is not None and np.array_equal(own, whole.call.mask)):
        return None if own is None else to_array(given).astype(bool)
    return own[: inputs.shape[0], : inputs.shape[1]]


def _own_states(whole: Whole, given: Any, rows: int) -> tuple[Array, ...] | None:
    """Return the states from which the layer starts in its model, if it must start from the given ones."""
    own, right = whole.own.initial_state, whole.call.initial_state
    if own is None or not any(each.any() for each in own):
        return None
    if right is not None and given is not None:
        arrays = _in_common_form(given, len(right))
        for order in ((0, 1), (1, 0))[: len(right)]:
            chosen = order[: len(right)]
            if all(np.allclose(own[to], right[at], rtol=1e-4, atol=1e-5) for to, at in enumerate(chosen)):
                return tuple(arrays[at] for at in chosen)
    return tuple(each[:, :rows] for each in own)


def _in_common_form(given: Any, count: int) -> list[Array]:
    arrays = list(arrays_in(given))
    return arrays if arrays[0].ndim == 3 else [np.stack(arrays[at::count]) for at in range(count)]


def fix_of_mask(judged: Judged) -> str:
    """Return what mends a recurrent layer that gets no mask although the expected one does; "" for any other."""
    whole = judged.whole
    if whole is None or whole.call.mask is None or whole.own.mask is not None:
        return ""
    name = judged.pair.names[1]
    if whole.actual.framework == "pytorch":
        pack = "nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)"
        return f"{name} ignores the mask, which does not reach it: pack the sequence, `{pack}`"
    return f"{name} ignores the mask, which does not reach it: pass `mask=mask`"


def _fix_of_call(judged: Judged) -> str:
    whole = judged.whole
    if whole is None:
        return ""
    if words := fix_of_mask(judged):
        return words
    if whole.call.mask is None and whole.own.mask is not None:
        return "it gets a mask, and must not: call it on the whole sequence"
    differ = [name for name in ("cell", *_SIZES) if getattr(whole.expected.spec, name) != getattr(whole.actual.spec, name)]
    if differ:
        return "; ".join(
            f"{name} must be {getattr(whole.expected.spec, name)}, but is {getattr(whole.actual.spec, name)}" for name in differ
        )
    return ""


_SIZES = (
    "input_size",
    "hidden_size",
    "num_layers",
    "bidirectional",
    "activation",
    "recurrent_activation",
    "reset_after",
    "bias",
)


def place_of(judged: Judged, diagnosis: Diagnosis | None) -> dict[str, Any]:
    """Return the first time step that differs, the unit and the direction of the largest difference, and the gate."""
    whole = judged.whole
    gates = [str(each.where["gate"]) for each in diagnosis.findings if "gate" in each.where] if diagnosis is not None else []
    place: dict[str, Any] = {"gate": gates[0] if gates else None}
    other = None if whole is None else whole.alone if judged.alone_error else whole.found
    wanted, own = (None if each is None else each.output for each in (whole.wanted if whole is not None else None, other))
    if whole is None or wanted is None or own is None or own.shape != wanted.shape:
        return place
    if place["gate"] is None:
        place["gate"] = _gate_of(whole)
    off = np.abs(wanted - own)
    reading = off[:, ::-1] if whole.call.backwards else off
    steps = np.flatnonzero(reading.max(axis=(0, 2)) > 1e-5 * max(1.0, float(np.abs(wanted).max(initial=0))))
    if not len(steps):
        return place
    step, column = int(steps[0]), int(off.max(axis=(0, 1)).argmax())
    size = whole.expected.spec.hidden_size
    return place | {
        "time_step": off.shape[1] - 1 - step if whole.call.backwards else step,
        "unit": column % size,
        "direction": column // size if whole.expected.spec.bidirectional else None,
    }


def _gate_of(whole: Whole) -> str | None:
    """Return the only gate whose weights differ, or None."""
    try:
        weights = [each.get_weights() for each in (whole.expected, whole.actual)]
    except GatewiseError:
        return None
    gates: set[str] = set()
    for (*_, one), (*_, two) in zip(*weights, strict=False):
        parts = dict(two.arrays())
        for part, array in one.arrays():
            own = parts.get(part)
            if own is None or own.shape != array.shape or one.gates != two.gates:
                return None
            gates |= {gate for gate, x, y in zip(one.gates, array, own, strict=True) if not np.allclose(x, y, atol=1e-6)}
    return gates.pop() if len(gates) == 1 else None


def reads_the_batch_as_time(judged: Judged) -> bool:
    """Return whether a torch layer that has the time axis first gets the batch axis first, as the expected one does."""
    one, two = judged.pair.expected[0], judged.pair.actual[0]
    if two.adapter is None or not two.adapter.time_major or two.packed or not one.inputs or not two.inputs:
        return False
    right, own = one.sequence, two.inputs[0]
    return right.shape == own.shape and bool(np.allclose(right, own, rtol=1e-4, atol=1e-5))
