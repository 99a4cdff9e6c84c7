"""Masks that a port handles around a recurrent module: valid steps are moved to the front, and results back to their places.

A module alone cannot show it: it gets the same numbers whether a mask is ignored or handled. The readers of its results can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.groundwork.calls import Call
from compare.models.allowance import Allowance
from compare.models.judged import Judged
from compare.models.judging import judge_whole
from compare.models.readers import gets_the_same, readers_of
from compare.models.whole import Whole
from frameworks.adapter import Mask
from frameworks.output import RecurrentOutput

Array = npt.NDArray[Any]


def with_outside_masks(judged: Sequence[Judged], allowance: Allowance, *, results_agree: bool) -> list[Judged]:
    """Return the comparisons of pairs, with masks that the port handles outside of its recurrent modules taken into account.

    A module that gets the valid steps of a row with a hole before all others shows that the port handles the mask. Where masks
    end rows, the module gets the same either way, and what reads its results must show it.

    Args:
        judged: the pairs, in the order of the expected model's calls.
        allowance: how far arrays may be apart.
        results_agree: whether the models' results agree.
    """
    outside = [handled_outside(each, allowance) for each in judged]
    settled = list(judged)
    for at, each in enumerate(outside):
        if each is None:
            continue
        if _is_moved(judged[at]):
            settled[at] = each
            continue
        if each.verdict != "agrees":
            continue
        readers = readers_of(judged, at)
        right = readers and all(_gets_the_same(judged[by], outside[by], allowance) for by in readers)
        if results_agree or right or any(_reads_a_step(judged[by], judged[at], each) for by in readers):
            settled[at] = each
    return settled


def _is_moved(judged: Judged) -> bool:
    """Return whether the module gets the valid steps before all others, and would get something else with the mask ignored."""
    whole = judged.whole
    if whole is None or whole.call.mask is None:
        return False
    as_moved, as_is = _offs(whole, whole.call.mask)
    return as_moved < 0.9 * as_is


def _reads_a_step(reader: Judged, plain: Judged, outside: Judged) -> bool:
    """Return whether a port's layer reads one step of the results that were moved back, rather than the last one computed."""
    if plain.whole is None or plain.whole.found is None or outside.whole is None or outside.whole.found is None:
        return False
    read, back = reader.pair.actual[0].inputs[:1], outside.whole.found.output
    if back is None or plain.whole.found.output is None:
        return False
    last = _reading(plain.whole.found.output, plain.whole)[:, -1]
    return any(
        array.shape == last.shape
        and not np.array_equal(array, last)
        and any(np.array_equal(array, step) for step in back.swapaxes(0, 1))
        for array in read
    )


def _gets_the_same(judged: Judged, outside: Judged | None, allowance: Allowance) -> bool:
    return any(each is not None and gets_the_same(each, allowance) for each in (judged, outside))


def handled_outside(judged: Judged, allowance: Allowance) -> Judged | None:
    """Return the comparison of a pair if the port handles the expected layer's mask outside of its module; None if it cannot.

    The module then gets the valid steps of each row before all others, and what it returns at them is moved back: a masked
    step repeats the last output, which is zero before the first.

    Args:
        judged: the pair, compared as if the module's own results were used as they are.
        allowance: how far arrays may be apart.
    """
    whole = judged.whole
    mask = None if whole is None else whole.call.mask
    if whole is None or whole.found is None or mask is None or judged.verdict == "agrees" or not _may_be(whole, mask):
        return None
    as_moved, as_is = _offs(whole, mask)
    if as_moved > as_is:
        return None
    _, read, valid = _moved(whole.call.inputs, mask, backwards=whole.call.backwards)
    inputs = np.array(whole.call.inputs)
    _reading(inputs, whole)[read] = _reading(whole.own.inputs, whole)[valid]
    zeroed = whole.expected.zeroes_masked_steps
    h_n, c_n = _states(whole, mask, whole.found)
    output = whole.found.output
    if output is not None:
        output = _reading(_spread(_reading(output, whole), read, zeroed=zeroed), whole)
    found = RecurrentOutput(output, h_n, c_n)
    call = Call("", inputs, whole.own.initial_state, mask, backwards=whole.own.backwards)
    return judge_whole(judged.pair, replace(whole, own=call, found=found), allowance)


def _reading(array: Array, whole: Whole) -> Array:
    """Return an array in the order in which the layers read its steps, or back from it."""
    return array[:, ::-1] if whole.call.backwards else array


def _moved(inputs: Array, mask: Mask, *, backwards: bool) -> tuple[Array, Mask, Mask]:
    """Return inputs with the valid steps of each row before all others, the mask as it is read, and that of the moved steps."""
    read = mask[:, ::-1] if backwards else mask
    order = np.argsort(~read, axis=1, kind="stable")
    valid = np.arange(mask.shape[1]) < mask.sum(axis=1)[:, None]
    return np.take_along_axis(inputs[:, ::-1] if backwards else inputs, order[..., None], axis=1), read, valid


def _offs(whole: Whole, mask: Mask) -> tuple[float, float]:
    """Return how far what the module gets is from the inputs with the valid steps first, and from the inputs as they are."""
    if whole.call.inputs.shape != whole.own.inputs.shape or whole.call.backwards != whole.own.backwards:
        return np.inf, np.inf
    first, read, valid = _moved(whole.call.inputs, mask, backwards=whole.call.backwards)
    own = _reading(whole.own.inputs, whole)
    return _off(first, own, valid), _off(_reading(whole.call.inputs, whole), own, read)


def _may_be(whole: Whole, mask: Mask) -> bool:
    """Return whether the actual layer has no mask, or that of a packed sequence of as many steps as the expected one's mask."""
    call, own = whole.call, whole.own
    if call.inputs.shape != own.inputs.shape or call.backwards != own.backwards:
        return False
    if own.mask is None:
        return whole.expected.spec.num_directions == whole.expected.spec.num_layers == 1
    return np.array_equal(np.maximum(mask.sum(axis=1), 1), np.maximum(own.mask.sum(axis=1), 1))


def _states(whole: Whole, mask: Mask, found: RecurrentOutput) -> tuple[Array | None, Array | None]:
    """Return the final states; of a module that also ran over the steps behind a row's end they are not known."""
    wanted = whole.wanted
    if whole.own.mask is None:
        return wanted.h_n, wanted.c_n
    empty: Array = mask.sum(axis=1, keepdims=True) == 0
    return _where(empty, wanted.h_n, found.h_n), _where(empty, wanted.c_n, found.c_n)


def _where(rows: Array, wanted: Array | None, own: Array | None) -> Array | None:
    return own if wanted is None or own is None else np.where(rows, wanted, own)


def _spread(output: Array, mask: Array, *, zeroed: bool) -> Array:
    count = mask.cumsum(axis=1)[..., None]
    spread = np.take_along_axis(output, np.maximum(count - 1, 0), axis=1)
    return np.where(~mask[..., None] if zeroed else count == 0, 0, spread).astype(output.dtype)


def _off(one: Array, other: Array, steps: Array) -> float:
    """Return the mean difference: what is wrong before a layer moves each number, and a wrong step nearly all of it."""
    return float(np.abs(one[steps] - other[steps]).mean()) if steps.any() else 0.0
