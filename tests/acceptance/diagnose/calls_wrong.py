"""Mistakes in the call: the order of time, the mask, the states."""

from __future__ import annotations

import numpy as np

from tests.acceptance.diagnose.arrays_wrong import Generator
from tests.acceptance.diagnose.plans import Plan, flip
from tests.acceptance.diagnose.settings import Array
from tests.acceptance.diagnose.ways import CALLED, Expected, pick, way

MASKED = {**CALLED, "right": ("keras",), "mask": ("right", "left", "gaps")}
FROM_STATE = {**CALLED, "from_state": (True,)}
FROM_ZEROS = {**CALLED, "from_state": (False,), "mask": ("",)}


def _read_time_first(plan: Plan) -> Expected:
    plan.enters.append(lambda inputs, mask, states: (inputs.swapaxes(0, 1), mask, states))
    plan.leaves.append(lambda output, h_n, c_n: (output.swapaxes(0, 1), h_n, c_n))
    return Expected()


@way("batch-first", "order", "results", **FROM_ZEROS, right=("keras",), sequences=(True,), state=(False,))
def sequences_without_batch_first(rng: Generator, plan: Plan) -> Expected:
    return _read_time_first(plan)


@way("batch-first", "order", "results", **FROM_ZEROS, square_inputs=(True,))
def as_many_rows_as_steps(rng: Generator, plan: Plan) -> Expected:
    return _read_time_first(plan)


@way("input-not-flipped", "order", **CALLED, right=("keras",), backwards=(True,))
def go_backwards_overlooked(rng: Generator, plan: Plan) -> Expected:
    plan.enters.remove(flip)
    return Expected()


@way("output-not-flipped", "order", "results", **CALLED, right=("keras",), backwards=(True,), sequences=(True,))
def turned_back_as_torch_does(rng: Generator, plan: Plan) -> Expected:
    """The output in the order of the inputs, where Keras leaves it in the order of reading."""
    shown = plan.results[0]
    plan.results[0] = lambda *results: shown(*results)[:, ::-1]
    return Expected(results=frozenset({0}))


@way("backward-not-flipped", "order", **CALLED, two=(True,))
def backward_layer_reads_forwards(rng: Generator, plan: Plan) -> Expected:
    plan.recurrence.backward = "reads forwards"
    return Expected()


@way("backward-not-flipped", "order", **CALLED, two=(True,), sequences=(True,))
def backward_output_not_turned_back(rng: Generator, plan: Plan) -> Expected:
    plan.recurrence.backward = "not turned back"
    return Expected()


@way("mask-ignored", "mask", **MASKED)
def mask_not_passed(rng: Generator, plan: Plan) -> Expected:
    plan.enters.append(lambda inputs, mask, states: (inputs, None, states))
    return Expected()


@way("mask-ignored-backwards", "mask", **MASKED, two=(True,))
def mask_of_one_direction(rng: Generator, plan: Plan) -> Expected:
    plan.recurrence.masks = lambda mask, direction: None if direction else mask
    return Expected()


@way("mask-inverted", "mask", **MASKED)
def padding_taken_for_valid(rng: Generator, plan: Plan) -> Expected:
    plan.enters.append(lambda inputs, mask, states: (inputs, None if mask is None else ~mask, states))
    return Expected()


def _as_lengths(mask: Array) -> Array:
    return np.asarray(np.arange(mask.shape[1]) < mask.sum(1)[:, None])


@way("mask-read-as-lengths", "mask", **{**MASKED, "mask": ("left", "gaps")})
def packed_by_lengths(rng: Generator, plan: Plan) -> Expected:
    plan.enters.append(lambda inputs, mask, states: (inputs, None if mask is None else _as_lengths(mask), states))
    return Expected()


@way("masked-steps-shown-otherwise", "shown", **MASKED, sequences=(True,))
def masked_steps_as_in_the_other_framework(rng: Generator, plan: Plan) -> Expected:
    """Zeros, as unpacked in torch, in place of the repeated output; or the other way round."""
    plan.recurrence.masked = "zero" if plan.recurrence.masked == "repeated" else "repeated"
    return Expected()


@way("state-forgotten", "states", **FROM_STATE)
def initial_state_not_passed(rng: Generator, plan: Plan) -> Expected:
    plan.enters.append(lambda inputs, mask, states: (inputs, mask, None))
    return Expected()


@way("states-swapped", "states", **FROM_STATE, cell=("lstm",))
def cell_state_passed_first(rng: Generator, plan: Plan) -> Expected:
    plan.enters.append(lambda inputs, mask, states: (inputs, mask, None if states is None else states[::-1]))
    return Expected()


@way("states-swapped", "results", **CALLED, cell=("lstm",), state=(True,))
def cell_state_returned_first(rng: Generator, plan: Plan) -> Expected:
    first = len(plan.results) - 2 * (plan.setting.directions if plan.setting.right == "keras" else 1)
    for at in range(first, len(plan.results), 2):
        plan.results[at], plan.results[at + 1] = plan.results[at + 1], plan.results[at]
    return Expected()


def _exchange(array: Array) -> Array:
    """Return states whose directions are exchanged, layer by layer."""
    return np.concatenate([array[at : at + 2][::-1] for at in range(0, len(array), 2)])


@way("state-directions-swapped", "states", **FROM_STATE, two=(True,))
def states_of_the_other_direction(rng: Generator, plan: Plan) -> Expected:
    plan.enters.append(lambda inputs, mask, states: (inputs, mask, None if states is None else tuple(map(_exchange, states))))
    return Expected()


@way("state-directions-swapped", "results", **CALLED, two=(True,), state=(True,))
def states_returned_backwards(rng: Generator, plan: Plan) -> Expected:
    if plan.setting.right == "keras":
        kinds = 2 if plan.setting.cell == "lstm" else 1
        head, forward, backward = plan.results[: -2 * kinds], plan.results[-2 * kinds : -kinds], plan.results[-kinds:]
        plan.results = [*head, *backward, *forward]
    else:
        plan.leaves.append(lambda output, h_n, c_n: (output, _exchange(h_n), None if c_n is None else _exchange(c_n)))
    return Expected()


@way("state-kept", "states", **FROM_ZEROS, stateful=(False,))
def state_of_the_last_call(rng: Generator, plan: Plan) -> Expected:
    plan.keeps = True
    return Expected()


@way("state-not-kept", "states", **FROM_ZEROS, right=("keras",), stateful=(True,))
def stateful_overlooked(rng: Generator, plan: Plan) -> Expected:
    plan.keeps = False
    return Expected()


@way("dropout-active", "random", form=("module",))
def left_in_training_mode(rng: Generator, plan: Plan) -> Expected:
    plan.drops = pick(rng, (0.1, 0.3, 0.5))
    return Expected()


@way("scaled", "inputs scaled", **CALLED)
def inputs_scaled(rng: Generator, plan: Plan) -> Expected:
    factor = pick(rng, (0.5, 2.0, 0.1, 1 / 255))
    plan.enters.append(lambda inputs, mask, states: ((inputs * factor).astype(inputs.dtype), mask, states))
    return Expected()
