"""Mistakes in what is returned: another array, halves in another order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.acceptance.diagnose.arrays_wrong import Generator
from tests.acceptance.diagnose.plans import MERGES, Expression, Plan, halves, merged, state
from tests.acceptance.diagnose.settings import Array
from tests.acceptance.diagnose.ways import CALLED, Expected, pick, way

LAST_STEP: dict[str, tuple[Any, ...]] = {**CALLED, "right": ("keras",), "sequences": (False,), "mask": ("",)}
CONCATENATED: dict[str, tuple[Any, ...]] = {**CALLED, "two": (True,), "merge": ("concat",)}


def _put(plan: Plan, at: int, expression: Expression) -> Expected:
    plan.results[at] = expression
    return Expected(results=frozenset({at}))


@way("wrong-result", "results", **LAST_STEP, two=(True,), merge=("concat",))
def last_step_of_both_directions(rng: Generator, plan: Plan) -> Expected:
    """output[:, -1]: the backward direction has read one step there."""
    return _put(plan, 0, lambda output, h_n, c_n: output[:, -1])


@way("wrong-result", "results", **LAST_STEP, two=(True,), merge=("concat",))
def states_reshaped(rng: Generator, plan: Plan) -> Expected:
    """h_n.reshape(batch, -1), which mixes rows and directions."""
    return _put(plan, 0, lambda output, h_n, c_n: h_n[-2:].reshape(h_n.shape[1], -1))


@way("wrong-result", "results", **LAST_STEP, two=(False,))
def pooled_over_time(rng: Generator, plan: Plan) -> Expected:
    kind = pick(rng, ("first", "mean", "max"))
    pooled: dict[str, Expression] = {
        "first": lambda output, h_n, c_n: output[:, 0],
        "mean": lambda output, h_n, c_n: output.mean(1),
        "max": lambda output, h_n, c_n: output.max(1),
    }
    return _put(plan, 0, pooled[kind])


@way("wrong-result", "results", **LAST_STEP, layers=(2, 3), two=(False,))
def state_of_the_first_layer(rng: Generator, plan: Plan) -> Expected:
    return _put(plan, 0, state(0))


@way("wrong-result", "results", **LAST_STEP, cell=("lstm",), two=(False,))
def cell_state_in_place_of_the_output(rng: Generator, plan: Plan) -> Expected:
    """As `_, (c, h) = lstm(x)` returns h."""
    return replace(_put(plan, 0, state(-1, "c")), same=frozenset({"states-swapped"}))


@way("wrong-result", "results", **CALLED, cell=("lstm",), state=(True,))
def hidden_state_twice(rng: Generator, plan: Plan) -> Expected:
    return _put(plan, len(plan.results) - 1, plan.results[-2])


@way("wrong-result", "results", **CALLED, right=("pytorch",), two=(True,), layers=(1,))
def state_read_off_the_last_step(rng: Generator, plan: Plan) -> Expected:
    """h_n of output[:, -1], where the backward direction ends at the first step."""
    return _put(plan, 1, lambda output, h_n, c_n: np.stack(halves(output[:, -1])))


@way("merge-mode", "results", **CALLED, right=("keras",), two=(True,), merge=("sum", "ave", "mul"))
def merged_in_another_way(rng: Generator, plan: Plan) -> Expected:
    return _put(plan, 0, merged(plan.setting, pick(rng, sorted({"sum", "ave", "mul"} - {str(plan.setting.merge)}))))


@way("halves-swapped", "results", **CONCATENATED)
def backward_half_first(rng: Generator, plan: Plan) -> Expected:
    shown = plan.results[0]
    return _put(plan, 0, lambda *results: MERGES["concat"](*halves(shown(*results))[::-1]))


@way("halves-interleaved", "results", **CONCATENATED)
def halves_stacked_and_reshaped(rng: Generator, plan: Plan) -> Expected:
    shown = plan.results[0]

    def alternate(output: Array, h_n: Array, c_n: Array | None) -> Array:
        array = shown(output, h_n, c_n)
        return np.stack(halves(array), axis=-1).reshape(array.shape)

    return _put(plan, 0, alternate)


@way("scaled", "results", **CALLED)
def result_scaled(rng: Generator, plan: Plan) -> Expected:
    at, factor = int(rng.integers(len(plan.results))), pick(rng, (0.5, 2.0, -1.0, 0.1))
    shown = plan.results[at]
    return _put(plan, at, lambda *results: shown(*results) * factor)


@way("not-a-number", "results", **CALLED)
def result_is_not_a_number(rng: Generator, plan: Plan) -> Expected:
    """A mean over no valid step, in one row."""
    at = int(rng.integers(len(plan.results)))
    shown = plan.results[at]

    def divide(output: Array, h_n: Array, c_n: Array | None) -> Array:
        array = np.array(shown(output, h_n, c_n))
        array[..., -1] = np.nan
        return array

    return _put(plan, at, divide)
