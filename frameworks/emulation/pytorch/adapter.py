"""The adapter over Keras's layers written in torch: Keras's flags and rules, torch's parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from frameworks import copying
from frameworks.adapter import Mask, States, check_call, require_call_over_time
from frameworks.emulation.pytorch.calling import call_whole
from frameworks.emulation.pytorch.cells import Cell
from frameworks.emulation.pytorch.directions import Reading, Sequences, run_directions
from frameworks.emulation.pytorch.modules import KerasCell
from frameworks.emulation.pytorch.parameters import CellHolder, Slot
from frameworks.emulation.pytorch.recurrent import KerasLayer
from frameworks.errors import InvalidTypeError, InvalidValueError, NoCounterpartError
from frameworks.options import KerasOptions
from frameworks.output import RecurrentOutput
from frameworks.pytorch.adapter import device_notes, read_parameters, write_parameters
from frameworks.spec import DTypeName, RecurrentSpec, Stack
from frameworks.weights import DirectionWeights, RecurrentWeights

Array = npt.NDArray[Any]
_DTYPES: dict[torch.dtype, DTypeName] = {torch.float32: "float32", torch.float64: "float64"}


def adapt(native: Any) -> EmulatedKerasAdapter:
    """Adapt one of Keras's layers or cells written in torch."""
    return EmulatedKerasAdapter(native)


def describe(native: Any) -> tuple[Stack, KerasOptions]:
    """Tell what a layer returns, built or not."""
    holder = _require_holder(native)
    slots = _arrange(holder)
    cell = slots[0][0].cell
    return Stack(cell.name, cell.units, len(slots), len(slots[0]) == 2), _options(holder)


class EmulatedKerasAdapter:
    """A Keras layer written in torch behind the one interface, see `frameworks.adapter.Adapter`."""

    framework = "pytorch"
    dropout = 0.0

    def __init__(self, native: Any) -> None:
        """Read the module's spec.

        Raises:
            GatewiseError: for what `frameworks.adapt` refuses.
        """
        holder = _require_holder(native)
        self.native: Any = holder
        self._slots = _arrange(holder)
        self.spec = _read_spec(holder, self._slots)
        self.options = _options(holder)
        self.is_cell = isinstance(holder, KerasCell)

    @property
    def precision(self) -> DTypeName:
        """The module's own dtype."""
        return self.spec.dtype

    @property
    def notes(self) -> tuple[str, ...]:
        """The device, where it is not the CPU, and whether TF32 may round the products there."""
        return device_notes(self._device)

    @property
    def zeroes_masked_steps(self) -> bool:
        """As Keras: two directions give zeros, one repeats its last valid output unless its flag says otherwise."""
        return self.spec.bidirectional or self.options.zero_output_for_mask

    @property
    def batch_size(self) -> int | None:
        """The batch size of the stored states of a stateful layer; None where any will do."""
        stored = self.native.stored() if self.options.stateful else None
        return None if stored is None else int(stored[0][0][0].shape[0])

    def get_weights(self) -> RecurrentWeights:
        """Give the weights in canonical form: copies, read-only."""
        return copying.get_weights(self)

    def set_weights(self, weights: RecurrentWeights) -> None:
        """Set all weights, after checking all of them."""
        copying.set_weights(self, weights)

    def read(self, layer: int, direction: int) -> DirectionWeights:
        """Give the weights of one direction: views of the parameters on the CPU, copies of them elsewhere."""
        return read_parameters(self._parameters(layer, direction), self.spec, layer)

    def write(self, layer: int, direction: int, source: DirectionWeights) -> None:
        """Write one direction into the parameters in place, one parameter at a time."""
        write_parameters(self._parameters(layer, direction), self.spec, layer, source)

    def forward(self, inputs: Array, initial_state: Array | States | None = None, mask: Mask | None = None) -> RecurrentOutput:
        """Run the cells in inference, whatever the layer's own flags, see `Adapter.forward`; any mask is taken."""
        arrays, mask = check_call(self.spec, inputs, initial_state, mask)
        readings = [replace(reading, zero_output_for_mask=self.zeroes_masked_steps) for reading in self._readings]
        weights = {slot.suffix: self.native.weights(slot) for layer in self._slots for slot in layer}
        with torch.no_grad(), torch.autocast(self._device.type, enabled=False):
            rows = [self._tensor(state) for state in arrays]
            starts = [
                tuple(tuple(state[index * len(readings) + side] for state in rows) for index in range(self.spec.num_layers))
                for side in range(len(readings))
            ]
            given = Sequences(self._tensor(inputs), None if mask is None else self._tensor(mask), {}, return_sequences=True)
            outputs, finals = run_directions(readings, weights, starts, given)
            output = torch.cat(outputs, dim=-1)
            output = output.flip(1) if self.options.go_backwards else output
            ordered = [finals[side][index] for index in range(self.spec.num_layers) for side in range(len(readings))]
            stacked = [torch.stack(each) for each in zip(*ordered, strict=True)]
            return RecurrentOutput(output.cpu().numpy(), *(each.cpu().numpy() for each in stacked))

    def call(self, inputs: Array, initial_state: Array | States | None = None, mask: Mask | None = None) -> Any:
        """Call the layer itself, with its own flags, in inference: what a user sees, as NumPy, nested as Keras nests it.

        A stateful layer starts from `initial_state`, zeros when None, and gets its stored state back afterwards.

        Args:
            inputs: (batch, time, input).
            initial_state: h_0 or (h_0, c_0), each (layer * direction, batch, hidden).
            mask: (batch, time) bool.

        Raises:
            GatewiseError: for a bare cell, which has no call over time, or for what does not fit.
        """
        require_call_over_time(self)
        states, mask = check_call(self.spec, inputs, initial_state, mask)
        given = None if initial_state is None and not self.options.stateful else self._keras_states(states)
        return call_whole(self.native, inputs, given, mask, training=False)

    @property
    def _device(self) -> torch.device:
        found: torch.device = next(self.native.parameters()).device
        return found

    @property
    def _readings(self) -> Sequence[Reading]:
        return [Reading(tuple(self.native.slots))] if self.is_cell else self.native.readings

    def _parameters(self, layer: int, direction: int) -> Iterator[tuple[str, nn.Parameter]]:
        slot = self._slots[layer][direction]
        for name in slot.cell.parameter_names:
            yield name, getattr(self.native, f"{name}{slot.suffix}")

    def _keras_states(self, states: States) -> list[Any]:
        directions = self.spec.num_directions
        found: list[Any] = []
        for side in range(directions):
            for layer in range(self.spec.num_layers):
                rows = [state[layer * directions + side] for state in states]
                found += [rows] if self.options.nesting == "cells" else rows
        return found

    def _tensor(self, array: Array) -> torch.Tensor:
        return torch.tensor(np.array(array), device=self._device)


def parts(native: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield direction, cell and layer of each part that one spec describes, see `frameworks.registry.parts_of`.

    The layers share their parameters with `native`.
    """
    layer: Any = _require_holder(native)
    if isinstance(layer, KerasCell):
        yield "", "", layer
        return
    names = ("forward", "backward") if len(layer.readings) == 2 else ("",)
    for direction, reading in zip(names, layer.readings, strict=True):
        if not reading.stacked:
            yield direction, "", layer.part(reading)
        else:
            yield from ((direction, f"cell {at}", layer.part(Reading((slot,)))) for at, slot in enumerate(reading.slots))


def _require_holder(native: Any) -> CellHolder:
    if isinstance(native, (KerasCell, KerasLayer)):
        return native
    raise InvalidTypeError.because(
        type(native).__name__,
        must="be a recurrent layer or cell",
        but="is another emulated layer",
        remedy="Adapt its recurrent layers one at a time.",
    )


def _options(holder: CellHolder) -> KerasOptions:
    if isinstance(holder, KerasLayer):
        return holder.options
    cell = holder.slots[0].cell
    return KerasOptions(nesting="cell", dropout=cell.dropout, recurrent_dropout=cell.recurrent_dropout)


def _arrange(holder: CellHolder) -> tuple[tuple[Slot, ...], ...]:
    """Give the slots as `[layer][direction]`.

    Raises:
        GatewiseError: for cells that no one spec describes.
    """
    readings = holder.readings if isinstance(holder, KerasLayer) else (Reading(holder.slots),)
    first = readings[0].cells[0]
    if len({len(reading.slots) for reading in readings}) > 1 or (len(readings) > 1 and len(readings[0].slots) > 1):
        raise InvalidValueError.because(
            "Bidirectional over stacked cells",
            must="run one cell a direction",
            but=f"runs {' and '.join(str(len(reading.slots)) for reading in readings)}",
            remedy="Adapt one direction at a time, before they are joined.",
        )
    for cell in (cell for reading in readings for cell in reading.cells):
        if (cell.name, cell.units) != (first.name, first.units):
            raise NoCounterpartError.because(
                "a cell of the layer",
                must=f"be of the kind and size of the first, {first.name} of {first.units}",
                but=f"is {cell.name} of {cell.units}",
                remedy="No one spec describes such a layer: adapt its parts one at a time.",
            )
    return tuple(zip(*(reading.slots for reading in readings), strict=True))


def _read_spec(holder: CellHolder, slots: Sequence[Sequence[Slot]]) -> RecurrentSpec:
    if holder.input_size is None:
        raise InvalidValueError.because(
            type(holder).__name__,
            must="be built",
            but="has no weights yet",
            remedy="Call it once, or .build(input_size).",
        )
    specs = {_cell_spec(holder, slot.cell) for layer in slots for slot in layer}
    if len(specs) > 1:
        raise NoCounterpartError.because(
            "the cells of the layer", must="compute alike", but=f"are {specs}", remedy="Adapt its parts one at a time."
        )
    return replace(specs.pop(), num_layers=len(slots), bidirectional=len(slots[0]) == 2)


def _cell_spec(holder: CellHolder, cell: Cell) -> RecurrentSpec:
    dtype = next(holder.parameters()).dtype
    if dtype not in _DTYPES or holder.compute_dtype not in (None, dtype):
        raise InvalidTypeError.because(
            type(holder).__name__,
            must="have one dtype, float32 or float64",
            but=f"has {dtype} weights and computes in {holder.compute_dtype or dtype}",
            remedy="Cast it: half and mixed precision are not compared.",
        )
    for name in ("activation", "recurrent_activation"):
        if not isinstance(getattr(cell, name), str):
            raise NoCounterpartError.because(
                f"the {name} of {type(holder).__name__}",
                must="be a built-in one",
                but=f"is {getattr(cell, name)!r}",
                remedy="A function of your own cannot be computed by the reference: compare it by hand.",
            )
    gate_activation = "sigmoid" if cell.name == "rnn" else str(cell.recurrent_activation)
    return replace(
        cell.spec(holder.input_size or 1),
        dtype=_DTYPES[dtype],
        activation=str(cell.activation),
        recurrent_activation=gate_activation,
    )
