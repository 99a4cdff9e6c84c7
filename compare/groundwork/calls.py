"""The calls that a parity check makes on both sides: drawn, passed in, or taken from a Keras call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.returns.evaluation import as_numpy
from frameworks import RecurrentOutput
from frameworks.adapter import Adapter, Mask, States, check_call, random_call
from frameworks.errors import InvalidTypeError, InvalidValueError
from frameworks.gradients import RecurrentGradients

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Call:
    """One call, the same for both sides.

    Args:
        label: a short description for the reader, such as "from zeros".
        inputs: (batch, time, input).
        initial_state: h_0 or (h_0, c_0), each (layer * direction, batch, hidden), or None.
        mask: (batch, time) bool, or None.
        backwards: whether the sequence is read from its end, as by a layer with go_backwards.
    """

    label: str
    inputs: Array
    initial_state: Array | States | None = None
    mask: Mask | None = None
    backwards: bool = False

    @property
    def read_inputs(self) -> Array:
        """The inputs in the order of reading."""
        return np.ascontiguousarray(self.inputs[:, ::-1]) if self.backwards else self.inputs

    @property
    def read_mask(self) -> Mask | None:
        """The mask in the order of reading."""
        return np.ascontiguousarray(self.mask[:, ::-1]) if self.backwards and self.mask is not None else self.mask

    def run(self, side: Adapter) -> RecurrentOutput:
        """Call one side, and return its output in input time order."""
        if self._turns(side):
            return self.in_input_order(side.forward(self.read_inputs, self.initial_state, self.read_mask))
        return side.forward(self.inputs, self.initial_state, self.mask)

    def differentiate(self, side: Adapter, cotangents: RecurrentOutput) -> RecurrentGradients:
        """Differentiate the call of one side; cotangents and gradients are in input time order."""
        if self._turns(side):
            turned = self.in_input_order(cotangents)
            return self.turn(side.gradients(self.read_inputs, self.initial_state, self.read_mask, turned))
        return side.gradients(self.inputs, self.initial_state, self.mask, cotangents)

    def shown_alike(self, sides: tuple[Adapter, Adapter]) -> bool:
        """Return whether both sides output the same at every step of this call, including masked steps."""
        return self.mask is None or sides[0].zeroes_masked_steps == sides[1].zeroes_masked_steps

    def turn(self, gradients: RecurrentGradients) -> RecurrentGradients:
        """Convert gradients from reading order to input time order, or back."""
        return replace(gradients, inputs=gradients.inputs[:, ::-1]) if self.backwards else gradients

    def _turns(self, side: Adapter) -> bool:
        """Return whether a side reads forwards in a backward call, so that it must get reversed inputs."""
        return self.backwards and not (side.options and side.options.go_backwards)

    def in_input_order(self, result: RecurrentOutput) -> RecurrentOutput:
        """Convert an output from reading order to input time order, or back."""
        if not self.backwards or result.output is None:
            return result
        return replace(result, output=result.output[:, ::-1])


def draw_calls(sides: tuple[Adapter, Adapter], seed: int = 0) -> tuple[Call, ...]:
    """Return calls on inputs and states drawn with a seed; batch and time differ in size from each other and all other axes."""
    spec = sides[0].spec
    taken = {spec.input_size, spec.hidden_size, spec.num_layers * spec.num_directions}
    batch = next((side.batch_size for side in sides if side.batch_size), None) or next(n for n in count(2) if n not in taken)
    time = next(n for n in count(3) if n not in taken | {batch})
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((batch, time, spec.input_size)).astype(spec.dtype)
    shape = (spec.num_layers * spec.num_directions, batch, spec.hidden_size)
    states = tuple(rng.uniform(-0.9, 0.9, shape).astype(spec.dtype) for _ in spec.state_names)
    backwards = _reads_backwards(sides)
    return (
        Call("from zeros", inputs, backwards=backwards),
        Call("from random states", inputs, states, backwards=backwards),
    )


def given_call(
    sides: tuple[Adapter, Adapter],
    inputs: Array | None,
    initial_state: Array | States | None,
    mask: Mask | None,
    keras_call: Mapping[str, Any] | None,
) -> Call:
    """Return the single call that the arguments of `check_parity` describe.

    Raises:
        GatewiseError: for arguments that do not fit the layers, and for arguments passed twice.
    """
    if keras_call:
        initial_state, mask = _from_keras(sides, keras_call, initial_state, mask)
    spec = sides[0].spec
    if inputs is None:
        batch, time = _extent(sides, initial_state, mask)
        inputs = np.random.default_rng(0).standard_normal((batch, time, spec.input_size)).astype(spec.dtype)
    check_call(spec, inputs, initial_state, mask)
    if mask is not None and _reads_backwards(sides) and any(side.options is None for side in sides):
        _require_left_padding(mask)
    label = "from zeros" if initial_state is None else "from the given states"
    return Call(label, inputs, initial_state, mask, _reads_backwards(sides))


def _require_left_padding(mask: Mask) -> None:
    """Raise an error for a mask that is not right padding when read from its end, because packing allows nothing else."""
    for row, steps in enumerate(mask):
        if not steps[-1] or np.any(steps[:-1] & ~steps[1:]):
            raise InvalidValueError.because(
                f"row {row} of mask",
                must="be left padding for a layer with go_backwards, so that it is right padding when read from its end",
                but=f"is {steps.astype(int).tolist()}",
                remedy="Compare the layer with gatewise.emulate of it, which takes any mask, or the two without a mask.",
            )


def _reads_backwards(sides: tuple[Adapter, Adapter]) -> bool:
    return any(side.options is not None and side.options.go_backwards for side in sides)


def _extent(sides: tuple[Adapter, Adapter], initial_state: Any, mask: Any) -> tuple[int, int]:
    """Return the batch and time sizes for drawing inputs, from the arguments that have them."""
    drawn = draw_calls(sides)[0].inputs
    batch, time = drawn.shape[:2]
    if initial_state is not None:
        first = next(iter(initial_state), None) if isinstance(initial_state, (tuple, list)) else initial_state
        batch = first.shape[1] if isinstance(first, np.ndarray) and first.ndim == 3 else batch
    if getattr(mask, "ndim", 0) == 2:
        batch, time = mask.shape
    return batch, time


def require_mapping(keras_call: object) -> None:
    """Raise an error for a `keras_call` that is no mapping."""
    if keras_call is not None and not isinstance(keras_call, Mapping):
        raise InvalidTypeError.because(
            "keras_call",
            must="be a mapping",
            but=f"is a {type(keras_call).__name__}",
            remedy='Pass the arguments by name, such as {"mask": mask}.',
        )


def _from_keras(
    sides: tuple[Adapter, Adapter], call: Mapping[str, Any], initial_state: Any, mask: Any
) -> tuple[Array | States | None, Mask | None]:
    keras_side = next((side for side in sides if side.options is not None), None)
    known = {"mask", "initial_state", "training"}
    if keras_side is None or not set(call) <= known:
        problem = "neither layer is Keras's" if keras_side is None else f"has {', '.join(sorted(set(call) - known))}"
        raise InvalidValueError.because(
            "keras_call",
            must=f"hold {', '.join(sorted(known))} of a Keras layer's call",
            but=problem,
            remedy="Leave the rest out.",
        )
    if call.get("training"):
        # Without dropout, a call in training computes the same as one in inference, which is made instead.
        for side in sides:
            if side.dropout or (side.options and (side.options.dropout or side.options.recurrent_dropout)):
                raise random_call(type(side.native).__name__)
    for name, given in (("initial_state", initial_state), ("mask", mask)):
        if given is not None and call.get(name) is not None:
            raise InvalidValueError.because(
                name, must="be passed once", but="is passed twice", remedy="Leave one of the two out."
            )
    states = call.get("initial_state")
    return (
        initial_state if states is None else _canonical_states(keras_side, states),
        mask if call.get("mask") is None else np.asarray(call["mask"]),
    )


def _canonical_states(side: Adapter, states: Any) -> States:
    """Stack states in Keras's order, row by row and h before c, to arrays (layer * direction, batch, hidden)."""
    spec, names = side.spec, side.spec.state_names
    flat = _flatten(states)
    layers = spec.num_layers if side.options is not None and side.options.nesting == "cells" else 1
    if len(flat) != layers * spec.num_directions * len(names) or layers != spec.num_layers:
        raise InvalidValueError.because(
            "initial_state of keras_call",
            must=f"hold {spec.num_layers * spec.num_directions * len(names)} arrays for a single Keras layer",
            but=f"holds {len(flat)} for {spec.num_layers} layers",
            remedy="Pass initial_state itself, as (layer * direction, batch, hidden).",
        )
    if len({state.shape for state in flat}) != 1:
        raise InvalidValueError.because(
            "initial_state of keras_call",
            must="hold arrays of one shape, (batch, hidden)",
            but=f"holds {', '.join(str(state.shape) for state in flat)}",
            remedy="Pass one array for each state of the layer.",
        )
    # Stacked cells have one direction, and two directions have one layer: the order is by row either way.
    return tuple(np.stack(flat[index :: len(names)]) for index in range(len(names)))


def _flatten(states: Any) -> list[Array]:
    if isinstance(states, (tuple, list)):
        return [leaf for state in states for leaf in _flatten(state)]
    return [as_numpy("initial_state of keras_call", states)]
