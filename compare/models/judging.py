"""Comparing one pair of layers: what both get, what both return, and what the actual one makes of the expected one's input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from compare.models.allowance import Allowance
from compare.models.judged import Judged, nearest, with_verdict
from compare.models.pairing.axes import difference, laid_out
from compare.models.pairing.margins import Margin, margins
from compare.models.pairing.pair import Pair
from compare.models.recording.recorded import Recorded
from compare.models.recording.recording import run_alone
from compare.models.whole import Whole, whole_of
from frameworks.output import RecurrentOutput

Array = npt.NDArray[Any]


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
    return with_verdict(judged, allowance)


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
    return with_verdict(judged, allowance)


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
    return with_verdict(judged, allowance)


def _in_order_of(one: Recorded, other: Recorded) -> tuple[Array, ...]:
    """Return the inputs of an actual layer in the expected one's order: Keras's attention takes query, value, key."""
    if one.family.opaque and other.family.opaque and one.kind != other.kind and len(other.inputs) == 3:
        return (other.inputs[0], other.inputs[2], other.inputs[1])
    return other.inputs


def _output_error(pair: Pair) -> float | None:
    if not pair.expected[-1].outputs or not pair.actual[-1].outputs:
        return None
    both = _fitting(pair, pair.actual[-1].outputs)
    return None if both is None else nearest(pair, *both)[2]


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
    return _Ran(*nearest(pair, *both)[:2], arrays[0], both[1], before)
