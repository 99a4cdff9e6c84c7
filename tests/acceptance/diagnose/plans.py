"""A port as it is planned: its arrays, what it computes, and what it does before and after; a mistake changes one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tests.acceptance.diagnose import layouts
from tests.acceptance.diagnose.layouts import Native
from tests.acceptance.diagnose.recurrence import Recurrence, Results
from tests.acceptance.diagnose.settings import Array, Data, Setting, Weights

Called = tuple[Array, Array | None, tuple[Array, ...] | None]
"""What a call is given: inputs, mask, states."""
Expression = Callable[[Array, Array, Array | None], Array]
"""A returned array, made of output, h_n and c_n."""
Engine = Callable[[Array, Array | None, tuple[Array, ...] | None], Results]


@dataclass
class Plan:
    """What the port does, step by step.

    Args:
        setting: what it is a port of, and its form.
        source: the right layer's arrays, [layer][direction].
        arrays: the port's arrays, likewise.
        recurrence: what it computes of them.
        biased: whether its layer is built with biases.
        reset_after: where its GRU applies the reset gate.
        enters: what becomes of inputs, mask and states on their way in.
        leaves: what becomes of output, h_n and c_n.
        results: the arrays that it returns.
        returned: what becomes of the returned arrays.
        keeps: whether it starts from the final states of its last call.
        drops: the rate of the dropout of its inputs that is active, 0 for none.
        laid: parameters that are replaced, whatever their shape.
    """

    setting: Setting
    source: list[list[Native]]
    arrays: list[list[Native]]
    recurrence: Recurrence
    results: list[Expression]
    biased: bool = True
    enters: list[Callable[[Array, Array | None, tuple[Array, ...] | None], Called]] = field(default_factory=list)
    leaves: list[Callable[[Array, Array, Array | None], Results]] = field(default_factory=list)
    returned: list[Callable[[list[Array]], list[Array]]] = field(default_factory=list)
    keeps: bool = False
    drops: float = 0.0
    laid: dict[str, Array] = field(default_factory=dict)
    memory: tuple[Array, ...] | None = None

    def weights(self, arrays: list[list[Native]]) -> Weights:
        """Return what lies in native arrays of the port by gate."""
        read = layouts.from_torch if self.setting.port == "pytorch" else layouts.from_keras
        gates = len(self.setting.gates)
        cell = self.recurrence.cell if self.setting.port == "keras" else self.setting.cell
        return tuple(tuple(read(cell, each, gates) for each in directions) for directions in arrays)

    def call(self, engine: Engine, inputs: Array, mask: Array | None, states: tuple[Array, ...] | None) -> list[Array]:
        """Return what the port returns, flat."""
        if self.keeps and states is None:
            states = self.memory
        for enter in self.enters:
            inputs, mask, states = enter(inputs, mask, states)
        output, h_n, c_n = engine(inputs, mask, states)
        if self.keeps:
            self.memory = (h_n,) if c_n is None else (h_n, c_n)
        for leave in self.leaves:
            output, h_n, c_n = leave(output, h_n, c_n)
        results = [result(output, h_n, c_n) for result in self.results]
        for change in self.returned:
            results = change(results)
        return results

    def loop(self, inputs: Array, mask: Array | None, states: tuple[Array, ...] | None) -> Results:
        """Return the results of the recurrence, written out in NumPy over the arrays of the port."""
        return self.recurrence.run(self.weights(self.arrays), inputs, mask, states)

    def compute(self, data: Data) -> list[Array]:
        """Return what the port returns the first time that it is called."""
        self.memory = None
        results = self.call(self.loop, data.inputs, data.mask, data.states)
        self.memory = None
        return results


def plan_port(setting: Setting, weights: Weights) -> Plan:
    """Return the plan of a right port."""
    keras = [[layouts.to_keras(setting.cell, each) for each in directions] for directions in weights]
    torch = [[layouts.to_torch(setting.cell, each) for each in directions] for directions in weights]
    source, arrays = (keras, torch) if setting.right == "keras" else (torch, keras)
    recurrence = Recurrence(setting.cell, setting.activation, setting.recurrent_activation, masked=_masked(setting))
    plan = Plan(setting, source, arrays, recurrence, expected_results(setting), keeps=setting.stateful)
    if setting.backwards:
        plan.enters.append(flip)
    return plan


def _masked(setting: Setting) -> str:
    """Return what Keras's output is at masked steps."""
    return "zero" if setting.zero_masked or (setting.two and setting.sequences) else "repeated"


def flip(inputs: Array, mask: Array | None, states: tuple[Array, ...] | None) -> Called:
    """Return the inputs and the mask in the other order of time."""
    return inputs[:, ::-1], None if mask is None else mask[:, ::-1], states


def halves(array: Array) -> tuple[Array, Array]:
    """Return the forward and the backward half of the last axis."""
    forward, backward = np.split(array, 2, axis=-1)
    return forward, backward


MERGES: dict[str | None, Callable[[Array, Array], Array]] = {
    "concat": lambda forward, backward: np.concatenate((forward, backward), axis=-1),
    "sum": lambda forward, backward: forward + backward,
    "ave": lambda forward, backward: (forward + backward) / 2,
    "mul": lambda forward, backward: forward * backward,
}


def state(at: int, kind: str = "h") -> Expression:
    """Return the expression h_n[at] or c_n[at]."""

    return lambda output, h_n, c_n: h_n[at] if kind == "h" or c_n is None else c_n[at]


def side(setting: Setting, direction: int) -> Expression:
    """Return the expression of the half that one of two directions returns."""
    if setting.sequences:
        return lambda output, h_n, c_n: halves(output)[direction]
    return state(direction - 2)


def merged(setting: Setting, merge: str | None) -> Expression:
    """Return the expression of the halves of two directions, merged."""
    forward, backward = side(setting, 0), side(setting, 1)
    return lambda *results: MERGES[merge](forward(*results), backward(*results))


def expected_results(setting: Setting) -> list[Expression]:
    """Return the arrays that the right layer returns, flat."""
    kinds = ("h", "c") if setting.cell == "lstm" else ("h",)
    if setting.right == "pytorch":
        results: list[Expression] = [lambda output, h_n, c_n: output, lambda output, h_n, c_n: h_n]
        return [*results, lambda output, h_n, c_n: c_n if c_n is not None else h_n][: 1 + len(kinds)]
    if not setting.two:
        results = [(lambda output, h_n, c_n: output) if setting.sequences else state(-1)]
    elif setting.merge is None:
        results = [side(setting, 0), side(setting, 1)]
    else:
        results = [merged(setting, setting.merge)]
    if setting.state:
        places = range(-setting.directions, 0)
        results += [state(at, kind) for at in places for kind in kinds]
    return results
