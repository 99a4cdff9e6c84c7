"""The right layer of a diagnosis: its own call, and the same call as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from compare.diagnosis.call.simulation import Situation
from compare.returns.mapping import returns_map
from frameworks.adapter import Adapter, FlaggedAdapter, Mask, States
from frameworks.output import RecurrentOutput
from frameworks.registry import has_flags
from frameworks.weights import DirectionWeights, RecurrentWeights

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Data:
    """What both sides are called with.

    Args:
        inputs: (batch, time, input).
        states: h_0 or (h_0, c_0), each (layer * direction, batch, hidden), or None.
        mask: (batch, time) bool, or None.
    """

    inputs: Array
    states: States | None = None
    mask: Mask | None = None

    def part(self, rows: Sequence[int], steps: slice) -> Data:
        """Return some rows and steps."""
        of = list(rows)
        states = None if self.states is None else tuple(state[:, of] for state in self.states)
        return Data(self.inputs[of, steps], states, None if self.mask is None else self.mask[of, steps])

    def first_step(self) -> Data:
        """Return the first step of each row, valid."""
        mask = None if self.mask is None else np.ones_like(self.mask[:, :1])
        return Data(self.inputs[:, :1], self.states, mask)


@dataclass(frozen=True, eq=False)
class RightSide:
    """The right layer.

    Args:
        adapter: its adapter.
        beside_backwards: whether it is compared with a layer that reads the sequence from its end, and so does the same.
    """

    adapter: Adapter
    beside_backwards: bool = False

    @property
    def reads_backwards(self) -> bool:
        """Whether it reads the sequence from its end."""
        return self.beside_backwards or (self.adapter.options is not None and self.adapter.options.go_backwards)

    @property
    def is_stateful(self) -> bool:
        """Whether it keeps its states from call to call."""
        return self.adapter.options is not None and self.adapter.options.stateful

    def call(self, data: Data) -> list[Array]:
        """Return the arrays that the layer's own call returns, in order."""
        adapter = self.adapter
        if adapter.options is not None and not adapter.is_cell and has_flags(adapter.native):
            return leaves(cast("FlaggedAdapter", adapter).call(data.inputs, data.states, data.mask))
        results = adapter.forward(data.inputs, data.states, data.mask)
        if adapter.options is None:
            arrays = leaves((results.output, results.h_n, results.c_n))
            return [arrays[0].swapaxes(0, 1), *arrays[1:]] if adapter.time_major else arrays
        output = cast("Array", results.output)[:, :: -1 if self.reads_backwards else 1]
        return leaves(returns_map(adapter.spec, adapter.options).to_keras(output, results.h_n, results.c_n))

    def situation(self, data: Data, *, as_layer: bool = False) -> Situation:
        """Return the call as data; `as_layer` with its output in input time order, as the common interface has it."""
        adapter = self.adapter
        return Situation(
            self._weights,
            adapter.spec,
            data.inputs,
            data.states,
            data.mask,
            self.reads_backwards,
            adapter.zeroes_masked_steps,
            turned_back=as_layer and self.reads_backwards,
        )

    @cached_property
    def _weights(self) -> RecurrentWeights:
        """The weights in float64, converted once for all simulations."""

        def wide(one: DirectionWeights) -> DirectionWeights:
            arrays: dict[str, Any] = {part: array.astype(np.float64) for part, array in one.arrays()}
            return replace(one, **arrays)

        return RecurrentWeights(tuple(tuple(map(wide, row)) for row in self.adapter.get_weights().layers))

    def own_states(self, data: Data) -> Any:
        """Return the initial states as the layer's own call takes them: row by row, h before c, or (h_0, c_0) for torch."""
        if data.states is None:
            return None
        if self.adapter.options is None:
            return data.states if len(data.states) > 1 else data.states[0]
        rows = [[state[row] for state in data.states] for row in range(len(data.states[0]))]
        if self.adapter.options.nesting == "cells" and not self.adapter.options.bare_states:
            return rows
        return [state for row in rows for state in row]


def leaves(nested: Any) -> list[Array]:
    """Return the arrays of a nest of tuples and lists, in order; None is left out."""
    if nested is None:
        return []
    if isinstance(nested, (tuple, list)):
        return [leaf for item in nested for leaf in leaves(item)]
    return [np.asarray(nested)]


def whole_results(results: RecurrentOutput) -> Sequence[Array]:
    """Return the arrays of a result of the common interface."""
    return leaves((results.output, results.h_n, results.c_n))
