"""Which ports are drawn, by number: the same number and seed give the same port."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tests.acceptance.diagnose import arrays_wrong, calls_wrong, layers_wrong, recurrence_wrong, results_wrong
from tests.acceptance.diagnose.outside import FAULTS
from tests.acceptance.diagnose.plans import Plan, plan_port
from tests.acceptance.diagnose.settings import (
    Array,
    Data,
    Setting,
    UnfitError,
    Weights,
    draw_data,
    draw_setting,
    draw_weights,
    merge_needs,
)
from tests.acceptance.diagnose.ways import WAYS, Expected, Way, pick

IDENTIFIERS = tuple(sorted(WAYS))
EACH = {"one": 10, "black box": 4, "right": 5}
COUNT = {"two": 120, "three": 120, "large": 8}
OUTSIDE = 6
ALONE = ("sizes", "not-a-number")
"""Mistakes that hide every other one."""
_TABLES = (arrays_wrong, layers_wrong, recurrence_wrong, calls_wrong, results_wrong)  # imported for what they enter
_ATTEMPTS = 400


@dataclass(frozen=True)
class Task:
    """What is drawn under a number: its kind, and the mistake or fault that it is about, if it is about one."""

    number: int
    kind: str
    about: str
    turn: int


def tasks() -> Iterator[Task]:
    """Yield all tasks of a full run."""
    number = 0
    for turn in range(max(EACH.values())):
        for kind, turns in EACH.items():
            for identifier in IDENTIFIERS if turn < turns else ():
                if kind != "black box" or any(way.hidden for way in WAYS[identifier]):
                    yield Task(number, kind, identifier, turn)
                    number += 1
    for kind, count in COUNT.items():
        for turn in range(count):
            yield Task(number, kind, IDENTIFIERS[6 * turn] if kind == "large" else "", turn)
            number += 1
    for turn in range(OUTSIDE):
        for name in FAULTS:
            yield Task(number, "outside", name, turn)
            number += 1


def sample(share: float) -> list[Task]:
    """Return a share of each kind of tasks, evenly over what they are about."""
    step, about = max(1, round(1 / share)), [*IDENTIFIERS, *FAULTS, ""]
    return [task for task in tasks() if (task.turn + about.index(task.about)) % step == 0]


@dataclass(frozen=True)
class Draw:
    """A right layer's weights, a port's plan, and what is expected of the diagnosis.

    Args:
        task: what was to be drawn.
        plan: the port.
        weights: the right layer's.
        data: what both are called with.
        right: what the right layer returns.
        expected: where each mistake was made.
        ways: the name of the function that made each of them, or a fault.
    """

    task: Task
    plan: Plan
    weights: Weights
    data: Data
    right: list[Array]
    expected: Mapping[str, Expected]
    ways: tuple[str, ...]


def draw(task: Task, seed: int) -> Draw:
    """Return what is drawn under a number.

    Raises:
        UnfitError: if nothing could be drawn.
    """
    for attempt in range(_ATTEMPTS):
        with suppress(UnfitError):
            return _draw(task, [seed, task.number, attempt])
    raise UnfitError(task)


def _draw(task: Task, seed: list[int]) -> Draw:
    rng = np.random.default_rng(seed)
    chosen = _choose(rng, task)
    needs = merge_needs(*(way.needs for _, way in chosen), _form(rng, task), *_direction(task, chosen))
    setting = draw_setting(rng, needs)
    weights, data = draw_weights(rng, setting), draw_data(rng, setting)
    made = [] if task.kind == "right" else chosen

    def plan(left_out: int | None = None) -> tuple[Plan, dict[str, Expected]]:
        port = plan_port(setting, weights)
        expected = {
            name: way.make(np.random.default_rng([*seed, at]), port) for at, (name, way) in enumerate(made) if at != left_out
        }
        return port, expected

    right = plan_port(setting, weights)
    results = _twice(right, data)
    _require_conditioned(rng, right, data, results)
    port, expected = plan()
    _require_form(port)
    for left_out, (_, way) in enumerate(made):
        _require_visible(way, setting, _twice(plan(left_out)[0], data), port, data)
    return Draw(task, port, weights, data, results[: len(port.results)], expected, tuple(way.make.__name__ for _, way in made))


def _choose(rng: np.random.Generator, task: Task) -> list[tuple[str, Way]]:
    """Return the mistakes that are made, with the way in which each is."""
    if task.kind == "outside":
        return [(task.about, FAULTS[task.about])]
    if task.about:
        ways = [way for way in WAYS[task.about] if task.kind != "black box" or way.hidden]
        return [(task.about, pick(rng, ways))]
    count = {"two": 2, "three": 3}[task.kind]
    names = rng.choice([name for name in IDENTIFIERS if name not in ALONE], count, replace=False)
    # The order of the gates is that of the function that copies, which comes after what is done to one array.
    chosen = [(str(name), pick(rng, WAYS[str(name)])) for name in sorted(names, key=lambda name: name == "gates-permuted")]
    touched = [touch for _, way in chosen for touch in way.touches]
    if len(set(touched)) < len(touched):
        raise UnfitError
    return chosen


def _form(rng: np.random.Generator, task: Task) -> dict[str, tuple[Any, ...]]:
    if task.kind in ("black box", "outside"):
        return {"form": ("black box",) if task.kind == "black box" or rng.random() < 0.3 else ("module",)}
    if task.kind == "right":
        return {"form": ("layer", "cell", "module", "emulated", "black box")}
    if task.kind == "large":
        return {"units": (1024,), "layers": (1,), "form": ("layer", "module"), "gain": (1.0,)}
    return {"form": ("layer", "cell", "module", "emulated")}


def _direction(task: Task, chosen: list[tuple[str, Way]]) -> Iterator[dict[str, tuple[Any, ...]]]:
    """Yield the direction of porting, in turns where a mistake is made in both."""
    both = {right for way in (WAYS.get(task.about) or [chosen[0][1]]) for right in way.needs.get("right", ("keras", "pytorch"))}
    if len(both) > 1:
        yield {"right": (("keras", "pytorch")[task.turn % 2],)}


def _twice(plan: Plan, data: Data) -> list[Array]:
    """Return what a first and a second call with the same data return."""
    plan.memory = None
    results = [array for _ in range(2) for array in plan.call(plan.loop, data.inputs, data.mask, data.states)]
    plan.memory = None
    return results


def _require_conditioned(rng: np.random.Generator, plan: Plan, data: Data, results: list[Array]) -> None:
    """Refuse weights with which rounding, of the inputs or of all that is computed, moves the right results too far."""
    ulp = np.finfo(plan.setting.dtype).eps
    moved = (data.inputs * (1 + ulp * rng.choice((-1, 1), data.inputs.shape))).astype(plan.setting.dtype)
    far = off(results, _twice(plan, Data(moved, data.states, data.mask)))
    if plan.setting.dtype == "float32":
        far = max(far, off(_twice(_in_float64(plan), _data_in_float64(data)), results))
    if far > plan.setting.tolerance / 5 or _largest(results) > 1e3:
        raise UnfitError


def _in_float64(plan: Plan) -> Plan:
    """Return a plan whose arrays are float64."""
    wide = [[{name: each.astype(np.float64) for name, each in native.items()} for native in row] for row in plan.arrays]
    return replace(plan, arrays=wide)


def _data_in_float64(data: Data) -> Data:
    states = None if data.states is None else tuple(each.astype(np.float64) for each in data.states)
    return Data(data.inputs.astype(np.float64), states, data.mask)


def _require_form(plan: Plan) -> None:
    """Refuse a bare or an emulated layer that cannot be built so."""
    recurrence, cell = plan.recurrence, plan.recurrence.cell
    if plan.setting.form not in ("layer", "cell", "emulated"):
        return
    torch_like = recurrence.recurrent_activation == "sigmoid" and cell != "gru-before"
    torch_like = torch_like and recurrence.activation in (("tanh", "relu") if cell == "rnn" else ("tanh",))
    bare = plan.setting.form != "emulated" and plan.setting.port == "pytorch"
    if not recurrence.builtin or (bare and not torch_like):
        raise UnfitError


def _require_visible(way: Way, setting: Setting, without: list[Array], port: Plan, data: Data) -> None:
    """Refuse a mistake without which the port returns the same."""
    seen = "all" in way.touches or port.drops > 0
    if not seen and off(without, _twice(port, data)) < 5 * setting.tolerance:
        raise UnfitError


def _largest(results: list[Array]) -> float:
    """Return the largest magnitude of several arrays."""
    return max(float(np.abs(each).max()) for each in results)


def off(expected: list[Array], actual: list[Array]) -> float:
    """Return how far results are apart, as a share of max(1, max |expected|); infinity for other shapes and NaN."""
    if [each.shape for each in expected] != [each.shape for each in actual]:
        return np.inf
    if not all(np.isfinite(each).all() for each in (*expected, *actual)):
        return np.inf
    return max(float(np.abs(a - b).max()) / max(1.0, float(np.abs(a).max())) for a, b in zip(expected, actual, strict=True))
