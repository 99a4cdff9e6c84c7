"""The adapter of Keras's layers written in torch, with Keras's flags and rules and torch's parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from frameworks import copying
from frameworks.adapter import Mask, States, check_call, require_call_over_time
from frameworks.gradients import RecurrentGradients, arrange, check_cotangents
from frameworks.keras_in_torch.layers.calling import call_whole
from frameworks.keras_in_torch.layers.cell_modules import KerasCell
from frameworks.keras_in_torch.layers.directions import Reading, Sequences, run_directions
from frameworks.keras_in_torch.layers.structure import arrange_slots, options_of, read_spec, require_holder
from frameworks.layouts import PYTORCH
from frameworks.output import RecurrentOutput
from frameworks.pytorch.adapter import device_notes, read_parameters, write_parameters
from frameworks.pytorch.gradients import pull_back
from frameworks.rows import FrameworkName
from frameworks.shown_layers import ShownLayer
from frameworks.spec import DTypeName
from frameworks.weights import DirectionWeights, RecurrentWeights

Array = npt.NDArray[Any]


def adapt(native: Any) -> EmulatedKerasAdapter:
    """Adapt one of Keras's layers or cells written in torch."""
    return EmulatedKerasAdapter(native)


class EmulatedKerasAdapter(ShownLayer):
    """A Keras layer written in torch, behind the common interface, see `frameworks.adapter.Adapter`."""

    framework: FrameworkName = "pytorch"
    dropout = 0.0
    time_major = False
    mask = ""

    def __init__(self, native: Any) -> None:
        """Read the module's spec.

        Raises:
            GatewiseError: for a module that `frameworks.adapt` refuses.
        """
        holder = require_holder(native)
        self.native: Any = holder
        self._slots = arrange_slots(holder)
        self.spec = read_spec(holder, self._slots)
        self.options = options_of(holder)
        self.is_cell = isinstance(holder, KerasCell)

    @property
    def precision(self) -> DTypeName:
        """The module's own dtype."""
        return self.spec.dtype

    @property
    def notes(self) -> tuple[str, ...]:
        """A note on the device unless it is the CPU, and on whether TF32 may round products on it."""
        return device_notes(self._device)

    @property
    def zeroes_masked_steps(self) -> bool:
        """As in Keras, True for two directions; a single one repeats its last valid output unless its flag is set."""
        return self.spec.bidirectional or self.options.zero_output_for_mask

    @property
    def batch_size(self) -> int | None:
        """The batch size of a stateful layer's stored states, or None if any batch size works."""
        stored = self.native.stored() if self.options.stateful else None
        return None if stored is None else int(stored[0][0][0].shape[0])

    def get_weights(self) -> RecurrentWeights:
        """Return the weights in canonical form, as read-only copies."""
        return copying.get_weights(self)

    def set_weights(self, weights: RecurrentWeights) -> None:
        """Set all weights, after checking all of them."""
        copying.set_weights(self, weights)

    def read(self, layer: int, direction: int) -> DirectionWeights:
        """Return the weights of one direction: views of parameters on the CPU, copies of parameters elsewhere."""
        return read_parameters(self._parameters(layer, direction), self.spec, layer)

    def write(self, layer: int, direction: int, source: DirectionWeights) -> int:
        """Write one direction into the parameters in place, one parameter at a time; return the number of parameters."""
        return write_parameters(self._parameters(layer, direction), self.spec, layer, source)

    def forward(self, inputs: Array, initial_state: Array | States | None = None, mask: Mask | None = None) -> RecurrentOutput:
        """Run the cells in inference, whatever the layer's own flags, see `Adapter.forward`; any mask is allowed."""
        states, mask = check_call(self.spec, inputs, initial_state, mask)
        with torch.no_grad(), torch.autocast(self._device.type, enabled=False):
            results = self._run(mask, *map(self._tensor, (inputs, *states)))
            return RecurrentOutput(*(result.cpu().numpy() for result in results))

    def gradients(
        self, inputs: Array, initial_state: Array | States | None, mask: Mask | None, cotangents: RecurrentOutput
    ) -> RecurrentGradients:
        """Differentiate `forward` with autograd, see `Adapter.gradients`; hooks on the parameters run."""
        states, mask = check_call(self.spec, inputs, initial_state, mask)
        weights = check_cotangents(self.spec, inputs, cotangents)
        places = product(range(self.spec.num_layers), range(self.spec.num_directions))
        parameters = [parameter for place in places for _, parameter in self._parameters(*place)]
        given, counted = ([self._tensor(array) for array in each] for each in ((inputs, *states), weights))
        with torch.autocast(self._device.type, enabled=False):
            gradients = pull_back(partial(self._run, mask), given, parameters, counted)
        return arrange([gradient.cpu().numpy() for gradient in gradients], PYTORCH, self.spec)

    def call(self, inputs: Array, initial_state: Array | States | None = None, mask: Mask | None = None) -> Any:
        """Call the layer itself with its own flags, in inference, and return NumPy arrays nested as Keras nests them.

        A stateful layer starts from `initial_state`, zeros when None, and gets its stored state back afterwards.

        Args:
            inputs: (batch, time, input).
            initial_state: h_0 or (h_0, c_0), each (layer * direction, batch, hidden).
            mask: (batch, time) bool.

        Raises:
            GatewiseError: for a bare cell, which has no call over time, and for arrays that do not fit.
        """
        require_call_over_time(self)
        states, mask = check_call(self.spec, inputs, initial_state, mask)
        given = None if initial_state is None and not self.options.stateful else self._keras_states(states)
        return call_whole(self.native, inputs, given, mask, training=False)

    @property
    def _device(self) -> torch.device:
        device: torch.device = next(self.native.parameters()).device
        return device

    @property
    def _readings(self) -> Sequence[Reading]:
        return [Reading(tuple(self.native.slots))] if self.is_cell else self.native.readings

    def _parameters(self, layer: int, direction: int) -> Iterator[tuple[str, nn.Parameter]]:
        slot = self._slots[layer][direction]
        for name in slot.cell.parameter_names:
            yield name, getattr(self.native, f"{name}{slot.suffix}")

    def _run(self, mask: Mask | None, x: torch.Tensor, *states: torch.Tensor) -> list[torch.Tensor]:
        """Return the output, (batch, time, direction * hidden), in input time order, and the final states."""
        readings = [replace(reading, zero_output_for_mask=self.zeroes_masked_steps) for reading in self._readings]
        weights = {slot.suffix: self.native.weights(slot) for layer in self._slots for slot in layer}
        starts = [
            tuple(tuple(state[index * len(readings) + side] for state in states) for index in range(self.spec.num_layers))
            for side in range(len(readings))
        ]
        given = Sequences(x, None if mask is None else self._tensor(mask), {}, return_sequences=True)
        outputs, finals = run_directions(readings, weights, starts, given)
        output = torch.cat(outputs, dim=-1)
        ordered = [finals[side][index] for index in range(self.spec.num_layers) for side in range(len(readings))]
        stacked = (torch.stack(each) for each in zip(*ordered, strict=True))
        return [output.flip(1) if self.options.go_backwards else output, *stacked]

    def _keras_states(self, states: States) -> list[Any]:
        directions = self.spec.num_directions
        nested: list[Any] = []
        for side in range(directions):
            for layer in range(self.spec.num_layers):
                rows = [state[layer * directions + side] for state in states]
                nested += [rows] if self.options.nesting == "cells" else rows
        return nested

    def _tensor(self, array: Array) -> torch.Tensor:
        return torch.tensor(np.array(array), device=self._device)
