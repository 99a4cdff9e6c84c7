"""Comparing one pair of layers: what both get, what both return, and what the actual one makes of the expected one's input."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from compare.models.pairing.absorbing import activated, activation_in
from compare.models.pairing.axes import difference, laid_out
from compare.models.pairing.margins import Margin, margins
from compare.models.pairing.pair import Pair
from compare.models.recording.recorded import Recorded
from compare.models.recording.recording import run_alone
from compare.models.whole import Whole, whole_of
from frameworks.output import RecurrentOutput

Array = npt.NDArray[Any]
RowVerdict = Literal["agrees", "wrong here", "input differs", "no partner"]


@dataclass(frozen=True, eq=False)
class Judged:
    """One pair in one call, compared.

    Args:
        pair: the pair.
        verdict: what became of it.
        input_error: the largest difference of what both get; None if it cannot be compared.
        output_error: that of what both return.
        alone_error: that of what both return on what the expected one got.
        inputs: by name ("input", "h_0", ...), what the expected one gets, laid out as the actual one's, and what that gets.
        wanted: what the actual layer must return on what the expected one got; None if that is not known.
        alone: what it returns.
        alone_input: the first input on which it was run alone, laid out as its own; None if it was not.
        alone_raw: what it returned alone, before an activation that only the expected one has inside.
        before_last: what the last of several actual layers got of it.
        whole: the whole results of a recurrent pair.
        margins: what each side puts around the input of a convolution or pooling itself.
    """

    pair: Pair
    verdict: RowVerdict
    input_error: float | None = None
    output_error: float | None = None
    alone_error: float | None = None
    inputs: Mapping[str, tuple[Array, Array]] = field(default_factory=dict)
    wanted: Array | None = None
    alone: Array | None = None
    alone_input: Array | None = None
    alone_raw: Array | None = None
    before_last: Array | None = None
    whole: Whole | None = None
    margins: tuple[Margin, Margin] = (Margin(), Margin())

    def finish(self, returned: Array) -> Array:
        """Return what the actual layer returned with the activation that only the expected one has inside."""
        return returned if self.wanted is None else _nearest(self.pair, self.wanted, returned)[1]


@dataclass(frozen=True)
class Allowance:
    """How far arrays may be apart.

    Args:
        tolerance: the share of max(1, max |expected|).
        noise: by the index of a call of the expected model, what one rounding of inputs and weights makes of its inputs and of
            its results.
    """

    tolerance: float
    noise: Mapping[int, tuple[float, float]] = field(default_factory=dict)

    def of_inputs(self, pair: Pair, scale: float) -> float:
        """Return the allowed difference of inputs of this size."""
        return max(self.tolerance * max(1.0, scale), self.noise.get(pair.expected[0].index, (0.0, 0.0))[0])

    def of_outputs(self, pair: Pair, scale: float) -> float:
        """Return the allowed difference of results of this size."""
        return max(self.tolerance * max(1.0, scale), self.noise.get(pair.expected[-1].index, (0.0, 0.0))[1])


def judge(pair: Pair, allowance: Allowance) -> Judged:
    """Compare one pair."""
    if not pair.expected or not pair.actual:
        return Judged(pair, "no partner")
    whole = whole_of(pair) if pair.is_recurrent else None
    return judge_whole(pair, whole, allowance) if whole is not None else _judge_other(pair, allowance)


def judge_again(judged: Judged, allowance: Allowance) -> Judged:
    """Return the same comparison with another allowance."""
    if judged.verdict in {"no partner", "agrees"}:
        return judged
    return _with_verdict(judged, allowance)


def judge_whole(pair: Pair, whole: Whole, allowance: Allowance) -> Judged:
    """Compare the whole results of a recurrent pair."""
    inputs = {"input": _at_valid_steps(whole)}
    states = whole.call.initial_state, whole.own.initial_state
    if states[0] is not None or states[1] is not None:
        shape = whole.state_shape
        for at, name in enumerate(whole.expected.spec.state_names):
            one, two = (np.zeros(shape, whole.call.inputs.dtype) if each is None else each[at] for each in states)
            inputs[f"{name}_0"] = one, two
    judged = Judged(
        pair,
        "agrees",
        _largest(difference(*each) for each in inputs.values()),
        _off(whole, whole.found),
        _off(whole, whole.alone),
        inputs,
        whole=whole,
    )
    return _with_verdict(judged, allowance)


def _at_valid_steps(whole: Whole) -> tuple[Array, Array]:
    """Return both inputs, zero at the steps that a mask leaves out: what stands there makes no difference."""
    mask = whole.call.mask if whole.call.mask is not None else whole.own.mask
    both = whole.call.inputs, whole.own.inputs
    if mask is None or both[0].shape != both[1].shape:
        return both
    return np.where(mask[..., None], both[0], 0), np.where(mask[..., None], both[1], 0)


def _off(whole: Whole, other: RecurrentOutput | None) -> float | None:
    if other is None:
        return None
    steps = None
    if whole.call.mask is not None and whole.expected.zeroes_masked_steps != whole.actual.zeroes_masked_steps:
        steps = whole.call.mask
    errors = []
    for name in ("output", "h_n", "c_n"):
        one, two = getattr(whole.wanted, name), getattr(other, name)
        if one is not None and two is not None and one.size:
            shown = steps is not None and name == "output" and one.shape == two.shape
            errors.append(difference(one[steps], two[steps]) if shown else difference(one, two))
    return _largest(errors)


def _largest(errors: Any) -> float | None:
    found = list(errors)
    return None if not found or None in found else max(found)


def _judge_other(pair: Pair, allowance: Allowance) -> Judged:
    first, other = pair.expected[0], pair.actual[0]
    inputs: dict[str, tuple[Array, Array]] = {}
    errors: list[float | None] = []
    around = margins(first, other)
    for at, (one, two) in enumerate(zip(first.inputs, _in_order_of(first, other), strict=False)):
        wanted = laid_out(one, two, first, other, exact=not any(each.pads for each in around))
        if wanted is not None and at == 0:
            wanted, two = around[0].without(wanted), around[1].without(two)  # noqa: PLW2901
        if wanted is None:
            errors.append(None)
        elif wanted.dtype.kind == "f" or not np.array_equal(wanted, two):
            inputs["input" if at == 0 else f"input {at}"] = (wanted, two)
            errors.append(difference(wanted, two))
        else:
            errors.append(0.0)
    output = _output_error(pair)
    ran = _alone(pair, around)
    judged = Judged(
        pair,
        "agrees",
        _largest(errors) if errors else 0.0,
        output,
        difference(ran.wanted, ran.returned),
        inputs,
        ran.wanted,
        ran.returned,
        ran.given,
        ran.raw,
        ran.before_last,
        margins=around,
    )
    return _with_verdict(judged, allowance)


def _in_order_of(one: Recorded, other: Recorded) -> tuple[Array, ...]:
    """Return the inputs of an actual layer in the expected one's order: Keras's attention takes query, value, key."""
    if one.family.opaque and other.family.opaque and one.kind != other.kind and len(other.inputs) == 3:
        return (other.inputs[0], other.inputs[2], other.inputs[1])
    return other.inputs


def _output_error(pair: Pair) -> float | None:
    if not pair.expected[-1].outputs or not pair.actual[-1].outputs:
        return None
    both = _fitting(pair, pair.actual[-1].outputs)
    return None if both is None else _nearest(pair, *both)[2]


def _fitting(pair: Pair, returned: Sequence[Array]) -> tuple[Array, Array] | None:
    """Return the first result of the expected layer, laid out as the actual one's, and that; None if it has no such result.

    A cell of the user's own may return every step and states where the expected layer returns its last step.
    """
    one, two, right = pair.expected[-1], pair.actual[-1], pair.expected[-1].outputs[0]
    wanted = laid_out(right, returned[0], one, two)
    if wanted is not None:
        return wanted, returned[0]
    if one.family.name != "recurrent":
        return None
    states = [each[0] if each.ndim > right.ndim and len(each) == 1 else each for each in returned[1:]]
    same = [each for each in states if each.shape == right.shape]
    return min(((right, each) for each in same), key=lambda both: difference(*both) or 0.0, default=None)


def _nearest(pair: Pair, wanted: Array, found: Array) -> tuple[Array, Array, float | None]:
    """Return both arrays and their difference; an activation that only one layer has inside may follow the other's call."""
    best = wanted, found, difference(wanted, found)
    for calls, other in ((pair.expected, pair.actual), (pair.actual, pair.expected)):
        activation = activation_in(calls[-1])
        if activation is None or activation_in(other[-1]) is not None or len(other) > 1:
            continue
        mine = calls is pair.expected
        after = activated(activation, found if mine else wanted)
        if after is None:
            continue
        tried = (wanted, after) if mine else (after, found)
        off = difference(*tried)
        if off is not None and (best[2] is None or off < best[2]):
            best = (*tried, off)
    return best


class _Ran(NamedTuple):
    """One run of the actual layers on the expected one's input."""

    wanted: Array | None = None
    returned: Array | None = None
    given: Array | None = None
    raw: Array | None = None
    before_last: Array | None = None


def _alone(pair: Pair, around: tuple[Margin, Margin]) -> _Ran:
    first, own = pair.expected[0], pair.actual[0]
    given = [
        laid_out(one, two, first, own, exact=False) for one, two in zip(_in_order_of(own, first), own.inputs, strict=False)
    ]
    arrays = [array.astype(two.dtype) for array, two in zip(given, own.inputs, strict=False) if array is not None]
    if first.family.opaque:  # Keras's attention takes the value for the key; which steps are seen is computed before the call
        arrays += arrays[1:2] if len(arrays) == 2 < len(own.inputs) else []
        arrays += [each for each in own.inputs[len(arrays) :] if each.dtype.kind == "b"]
    if not arrays or len(arrays) != len(own.inputs) or not pair.expected[-1].outputs:
        return _Ran()
    before = arrays[0] = around[1].around(around[0].without(arrays[0]))
    try:
        returned: Sequence[Array] = run_alone(own.native, arrays)
        for call in pair.actual[1:]:
            before = returned[0]
            returned = run_alone(call.native, returned[:1])
    except Exception:  # noqa: BLE001  whatever a user's layer raises
        return _Ran()
    if not returned:
        return _Ran()
    both = _fitting(pair, returned)
    if both is None:
        return _Ran(None, returned[0], arrays[0], returned[0], before)
    return _Ran(*_nearest(pair, *both)[:2], arrays[0], both[1], before)


def _with_verdict(judged: Judged, allowance: Allowance) -> Judged:
    allowed_in = allowance.of_inputs(judged.pair, _size(one for one, _ in judged.inputs.values()))
    outputs = [*judged.pair.expected[-1].outputs[:1], *([judged.whole.wanted.output] if judged.whole is not None else [])]
    allowed_out = allowance.of_outputs(judged.pair, _size(outputs))
    compared = all(calls[0].inputs for calls in (judged.pair.expected, judged.pair.actual))
    input_off = (math.inf if compared else 0.0) if judged.input_error is None else judged.input_error
    verdict: RowVerdict = "agrees"
    if judged.alone_error is not None and judged.alone_error > allowed_out:
        verdict = "wrong here"
    elif input_off > allowed_in:
        verdict = "input differs"
    elif _wrong_although_alone(judged, allowed_out):
        verdict = "wrong here"
    return replace(judged, verdict=verdict)


def _wrong_although_alone(judged: Judged, allowed: float) -> bool:
    """Return whether results differ on the same inputs although the layer is right alone, as where its mask is not passed."""
    if judged.output_error is None:
        if judged.whole is None and judged.pair.expected[0].family.name == "recurrent":
            return False  # of a layer that cannot be adapted, as in half precision, another part may be returned
        ran = judged.alone if judged.whole is None else judged.whole.alone or judged.whole.found
        return judged.alone_error is None and ran is not None
    return judged.output_error > 10 * allowed


def _size(arrays: Any) -> float:
    sizes = [float(np.abs(each[np.isfinite(each)]).max(initial=0)) for each in arrays if each.dtype.kind == "f"]
    return max(sizes, default=0.0)
