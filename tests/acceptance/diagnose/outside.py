"""Faults that no identifier stands for: they must not be given a name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.acceptance.diagnose.arrays_wrong import Generator, edit
from tests.acceptance.diagnose.plans import Plan
from tests.acceptance.diagnose.recurrence import Moment
from tests.acceptance.diagnose.settings import Array
from tests.acceptance.diagnose.ways import CALLED, GATED, Way, pick

FAULTS: dict[str, Way] = {}


def fault(name: str, **needs: tuple[Any, ...]) -> Callable[[Callable[[Generator, Plan], None]], None]:
    """Enter a function into the table of faults."""

    def enter(make: Callable[[Generator, Plan], None]) -> None:
        FAULTS[name] = Way(make, frozenset(), needs)  # type: ignore[arg-type]  # what no identifier names is nowhere

    return enter


def _weights(rng: Generator, plan: Plan, change: Callable[[Array], Array]) -> None:
    part = pick(rng, ("kernel", "recurrent kernel"))
    edit(plan, list(plan.setting.places), part, lambda array, source: change(array).astype(array.dtype))


@fault("noise on the weights")
def noise(rng: Generator, plan: Plan) -> None:
    size = pick(rng, (0.01, 0.1, 0.5))
    _weights(rng, plan, lambda array: array + size * array.std() * rng.normal(size=array.shape))


@fault("weights clipped")
def clipped(rng: Generator, plan: Plan) -> None:
    _weights(rng, plan, lambda array: np.clip(array, -array.std(), array.std()))


@fault("small weights pruned")
def pruned(rng: Generator, plan: Plan) -> None:
    _weights(rng, plan, lambda array: np.where(np.abs(array) < 0.5 * array.std(), 0, array))


@fault("one element changed")
def one_element(rng: Generator, plan: Plan) -> None:
    def change(array: Array) -> Array:
        array = array.copy()
        array.flat[int(rng.integers(array.size))] += array.std() * 2
        return array

    layer, direction = pick(rng, plan.setting.places)
    edit(plan, [(layer, direction)], "kernel", lambda array, source: change(array))


@fault("weights normalised by column")
def normalised(rng: Generator, plan: Plan) -> None:
    axis = 1 if plan.setting.port == "pytorch" else 0
    _weights(rng, plan, lambda array: array / np.sqrt((array**2).sum(axis, keepdims=True)))


@fault("random signs of the units")
def signs(rng: Generator, plan: Plan) -> None:
    _weights(rng, plan, lambda array: array * rng.choice((-1, 1), (array.shape[0], 1)))


@fault("peephole connections", **CALLED, cell=("lstm",))
def peephole(rng: Generator, plan: Plan) -> None:
    strength = 0.5 * rng.normal(size=plan.setting.units).astype(plan.setting.dtype)

    def receives(gate: str, z: Array, moment: Moment) -> Array:
        return z if gate == "candidate" or moment.c is None else np.add(z, strength * moment.c)

    plan.recurrence.receives = receives


@fault("layer norm in the step", **CALLED)
def layer_norm(rng: Generator, plan: Plan) -> None:
    plan.recurrence.receives = lambda gate, z, moment: (z - z.mean(-1, keepdims=True)) / z.std(-1, keepdims=True)


@fault("a gate left out", **CALLED, cell=GATED)
def missing_gate(rng: Generator, plan: Plan) -> None:
    missing = pick(rng, [gate for gate in plan.setting.gates if gate != "candidate"])
    plan.recurrence.receives = lambda gate, z, moment: (
        np.full_like(z, 40 if missing != "update" else -40) if gate == missing else z
    )


@fault("the forget gate inverted", **CALLED, cell=("lstm",))
def forget_inverted(rng: Generator, plan: Plan) -> None:
    plan.recurrence.receives = lambda gate, z, moment: -z if gate == "forget" else z


@fault("residual connection", **CALLED)
def residual(rng: Generator, plan: Plan) -> None:
    def add(output: Array, inputs: Array) -> Array:
        width = min(output.shape[-1], inputs.shape[-1])
        added: Array = np.add(output, np.pad(inputs[..., :width], ((0, 0), (0, 0), (0, output.shape[-1] - width))))
        return added

    plan.recurrence.between = add


@fault("another time stride", **CALLED, mask=("",))
def stride(rng: Generator, plan: Plan) -> None:
    plan.enters.append(lambda inputs, mask, states: (inputs[:, np.arange(inputs.shape[1]) // 2 * 2], mask, states))


@fault("inputs a step late", **CALLED, mask=("",))
def late(rng: Generator, plan: Plan) -> None:
    plan.enters.append(lambda inputs, mask, states: (np.concatenate((0 * inputs[:, :1], inputs[:, :-1]), axis=1), mask, states))


@fault("zoneout at inference", **CALLED)
def zoneout(rng: Generator, plan: Plan) -> None:
    share = pick(rng, (0.05, 0.1, 0.3))
    plan.recurrence.after = lambda moment, h, c: (share * moment.h + (1 - share) * h, c)


@fault("a constant added to the state", **CALLED)
def constant(rng: Generator, plan: Plan) -> None:
    added = pick(rng, (0.01, 0.1, 0.5))
    plan.recurrence.after = lambda moment, h, c: (h + np.asarray(added, h.dtype), c)


@fault("the state decays", **CALLED)
def decay(rng: Generator, plan: Plan) -> None:
    share = pick(rng, (0.9, 0.99))
    plan.recurrence.after = lambda moment, h, c: (h * np.asarray(share, h.dtype), c)


@fault("the cell state clipped", **CALLED, cell=("lstm",))
def cell_clipped(rng: Generator, plan: Plan) -> None:
    plan.recurrence.after = lambda moment, h, c: (h, None if c is None else np.clip(c, -0.3, 0.3))


@fault("the output fed back into the input", **CALLED)
def fed_back(rng: Generator, plan: Plan) -> None:
    def receives(gate: str, z: Array, moment: Moment) -> Array:
        return np.asarray(z + moment.h[:, ::-1] * np.asarray(0.5, z.dtype))

    plan.recurrence.receives = receives


@fault("another function of the output", **CALLED)
def squashed(rng: Generator, plan: Plan) -> None:
    shown = plan.results[0]
    plan.results[0] = lambda *results: np.sin(3 * shown(*results))


@fault("a result shifted by one unit", **CALLED)
def shifted(rng: Generator, plan: Plan) -> None:
    shown = plan.results[0]
    plan.results[0] = lambda *results: shown(*results) + np.roll(shown(*results), 1, axis=-1) / 2
