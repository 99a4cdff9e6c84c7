"""One diagnosis: both sides, what they are called with, and how far their results are apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.diagnosis.call.call_search import close, error
from compare.diagnosis.sides.port_side import PortSide
from compare.diagnosis.sides.right_side import Data, RightSide, whole_results
from compare.diagnosis.sides.stored_port import rewritten
from compare.groundwork.calls import Call, given_call
from frameworks.adapter import Adapter
from frameworks.errors import InvalidValueError
from frameworks.files import StoredLayer
from frameworks.weights import RecurrentWeights

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Case:
    """Both sides of a diagnosis.

    Args:
        right: the right side.
        port: the port.
        data: what both are called with.
        tolerance: the share of max(1, max |right|) that may be off.
    """

    right: RightSide
    port: PortSide
    data: Data
    tolerance: float

    def right_call(self, data: Data) -> list[Array]:
        """Return the right results; beside a port that is a layer, those of the common interface.

        Raises:
            GatewiseError: for results that are not finite.
        """
        results = self._layer_call(self.right.adapter, data) if self.port.is_layer else self.right.call(data)
        if not all(np.isfinite(array).all() for array in results):
            raise InvalidValueError.because(
                "what the right layer returns",
                must="be finite numbers",
                but="holds NaN or infinity",
                remedy="Check its weights, and pass finite inputs.",
            )
        return results

    def port_call(self, data: Data, weights: RecurrentWeights | None = None) -> list[Array]:
        """Return the port's results, with other weights if they are given."""
        return self.port_calls(data, weights)[0]

    def port_calls(self, data: Data, weights: RecurrentWeights | None = None, times: int = 1) -> list[list[Array]]:
        """Return the port's results at each of several calls, one after the other."""
        cells = self.port.cells()
        if weights is None or cells is None:
            return self._port_calls(data, times)
        if isinstance(self.port.adapter, StoredLayer):
            return [self._layer_call(rewritten(self.port.adapter, weights), data)] * times
        with self.port.holding(weights, cells):
            return self._port_calls(data, times)

    def _port_calls(self, data: Data, times: int) -> list[list[Array]]:
        if self.port.adapter is not None and self.port.is_layer:
            return [self._layer_call(self.port.adapter, data) for _ in range(times)]
        return self.port.call(data, times)

    def _layer_call(self, side: Adapter, data: Data) -> list[Array]:
        own = side.spec.dtype
        states = None if data.states is None else tuple(state.astype(own, copy=False) for state in data.states)
        call = Call("", data.inputs.astype(own, copy=False), states, data.mask, backwards=self.right.reads_backwards)
        return list(whole_results(call.run(side)))

    def off(self, port: Sequence[Array], right: Sequence[Array]) -> float:
        """Return the largest difference between two lists of results."""
        return max(error(one, other) for one, other in zip(port, right, strict=True))

    def agree(self, port: Sequence[Array], right: Sequence[Array]) -> bool:
        """Return whether two lists of results are the same."""
        return all(close(one, other, self.tolerance) for one, other in zip(port, right, strict=True))


def require_as_many(right: Sequence[Array], port: Sequence[Array]) -> None:
    """Raise an error if the port returns another number of arrays than the right call."""
    if len(right) != len(port):
        wanted = f"{len(right)} array{'' if len(right) == 1 else 's'} of shape {', '.join(str(array.shape) for array in right)}"
        raise InvalidValueError.because(
            "what the port returns",
            must=f"be {wanted}, as the right layer's own call returns",
            but=f"is {len(port)}: {', '.join(str(array.shape) for array in port) or 'nothing'}",
            remedy="Return the same arrays in the same order, nested in any way.",
        )


def draw_data(
    right: RightSide, inputs: Array | None, initial_state: Any, mask: Array | None, seed: int, *, with_states: bool
) -> Data:
    """Return what both sides are called with: the arguments, and what is drawn in place of those that are missing.

    Args:
        right: the right side.
        inputs: (batch, time, input), or None.
        initial_state: in the common form or as the right layer's own call takes it, or None.
        mask: (batch, time) bool, or None.
        seed: draws the rest.
        with_states: whether initial states are drawn too if nothing is given.
    """
    adapter, spec = right.adapter, right.adapter.spec
    if not _is_count(seed):
        raise InvalidValueError.because(
            "seed", must="be an int from 0", but=f"is {seed!r}", remedy="Leave it out, or pass a whole number."
        )
    rng = np.random.default_rng(seed)
    if inputs is None and mask is None and initial_state is None:
        taken = {spec.input_size, spec.hidden_size, spec.num_layers * spec.num_directions}
        rows = adapter.batch_size or next(n for n in count(3) if n not in taken)
        steps = next(n for n in count(5) if n not in taken | {rows})
        inputs = rng.standard_normal((rows, steps, spec.input_size)).astype(spec.dtype)
        if with_states:
            shape = (spec.num_layers * spec.num_directions, rows, spec.hidden_size)
            initial_state = tuple(rng.uniform(-0.9, 0.9, shape).astype(spec.dtype) for _ in spec.state_names)
    own = initial_state is not None and not _is_canonical(initial_state)
    keras_call = {"initial_state": initial_state} if own else None
    call = given_call((adapter, adapter), inputs, None if own else initial_state, mask, keras_call)
    states = call.initial_state
    return Data(call.inputs, states if states is None or isinstance(states, tuple) else (states,), call.mask)


def _is_count(seed: object) -> bool:
    return isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0


def _is_canonical(states: Any) -> bool:
    first = states[0] if isinstance(states, (tuple, list)) and states else states
    return getattr(first, "ndim", 0) == 3
