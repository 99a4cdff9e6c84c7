"""Running a layer's directions, cell after cell over the valid steps, with torch's fused operations where possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from frameworks.keras_in_torch.layers.cells import Cell, CellWeights, States, Tensor
from frameworks.keras_in_torch.layers.dropout import NO_MASKS, DropoutMasks
from frameworks.keras_in_torch.layers.masking import Packing, blank
from frameworks.keras_in_torch.layers.parameters import Slot
from frameworks.keras_in_torch.layers.recording import frees_time, is_tracing
from frameworks.keras_in_torch.layers.sequences import run_fused, run_loop


@dataclass(frozen=True)
class Reading:
    """One direction: its cells, and how they read the sequence.

    Args:
        slots: the slots of the cells; each cell reads the output of the previous one.
        go_backwards: whether the sequence is read from its end; outputs come in the order of reading.
        zero_output_for_mask: whether the output of a masked step is zero, rather than the last valid output.
        stacked: whether the cells were passed as a list, even of length one, so that each cell has a list of states.
    """

    slots: tuple[Slot, ...]
    go_backwards: bool = False
    zero_output_for_mask: bool = False
    stacked: bool = False

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells, in order."""
        return tuple(slot.cell for slot in self.slots)

    @property
    def states_taken(self) -> int:
        """The number of entries in an initial state of this direction: one per state, or one per stacked cell."""
        return len(self.slots) if self.stacked else len(self.cells[0].state_names)

    def in_reading_order(self, sequence: Tensor) -> Tensor:
        """Return a sequence, with time along axis 1, in the order of reading."""
        return sequence.flip(1) if self.go_backwards else sequence


Masks = dict[str, DropoutMasks]
"""The dropout masks of a call by the suffix of the cell's slot; cells without masks are left out."""
Finals = tuple[States, ...]
"""The last states of each cell of one direction."""
Weights = Mapping[str, CellWeights]
"""The parameters of each cell by the suffix of its slot."""


@dataclass(frozen=True)
class Sequences:
    """The inputs of a layer's directions in one call.

    Args:
        x: (batch, time, input).
        mask: (batch, time) bool, True at valid steps; None if all steps are valid.
        dropout: the dropout masks of the call.
        return_sequences: whether the output of every step is wanted, rather than only that of the last step.
    """

    x: Tensor
    mask: Tensor | None
    dropout: Masks
    return_sequences: bool


def run_directions(
    readings: Sequence[Reading], weights: Weights, starts: Sequence[Finals], given: Sequences
) -> tuple[tuple[Tensor, ...], tuple[Finals, ...]]:
    """Run one direction or two.

    Args:
        readings: the directions.
        weights: the weights of all their cells.
        starts: the initial states of each direction's cells.
        given: the inputs of the directions.

    Returns:
        The outputs and each direction's last states. There is one output per direction, ready to be merged, or a single one in
        which both are already concatenated. An output is (batch, time, hidden), or (batch, hidden) if only the last is wanted.
    """
    if _run_as_one(readings, given):
        return _run_both(readings, weights, starts, given)
    results = [_run_direction(reading, weights, start, given) for reading, start in zip(readings, starts, strict=True)]
    outputs, finals = zip(*results, strict=True)
    if len(outputs) == 2 and given.return_sequences:
        outputs = outputs[0], outputs[1].flip(1)
    return outputs, finals


def _run_direction(reading: Reading, weights: Weights, start: Finals, given: Sequences) -> tuple[Tensor, Finals]:
    x, mask, packing = reading.in_reading_order(given.x), None, None
    if given.mask is not None:
        mask = reading.in_reading_order(given.mask)
        packing = Packing(mask) if _can_pack(reading, given) else None
        # Values at masked steps must not reach a gradient, above all NaN.
        x = x.masked_fill(~mask.unsqueeze(-1), 0) if packing is None else packing.pack(x)
    finals = []
    for slot, states in zip(reading.slots, start, strict=True):
        dropout = given.dropout.get(slot.suffix, NO_MASKS)
        if packing is not None:
            x, final = _run_packed(slot.cell, weights[slot.suffix], x, states, packing)
        elif mask is not None:
            x, final = run_loop(slot.cell, weights[slot.suffix], x, states, mask, dropout)
        else:
            x, final = _run_unmasked(slot.cell, weights[slot.suffix], x, states, dropout)
        finals.append(final)
    zero_output = reading.zero_output_for_mask
    if not given.return_sequences:
        return _last_output(finals[-1][0], mask, zero_output=zero_output), tuple(finals)
    if packing is not None:
        x = packing.unpack(x, zero_output=zero_output)
    elif mask is not None:
        x = blank(x, mask, zero_output=zero_output)
    return x, tuple(finals)


def _run_unmasked(cell: Cell, weights: CellWeights, x: Tensor, states: States, dropout: DropoutMasks) -> tuple[Tensor, States]:
    if cell.fused_mode is None or dropout.recurrent or len(dropout.inputs) > 1 or frees_time(x):
        return run_loop(cell, weights, x, states, None, dropout)
    if dropout.inputs:
        x = x * dropout.inputs[0].unsqueeze(1)
    output, finals = run_fused(cell.fused_mode, [weights], x, tuple(state[None] for state in states), None)
    return output, tuple(final[0] for final in finals)


def _run_packed(cell: Cell, weights: CellWeights, x: Tensor, states: States, packing: Packing) -> tuple[Tensor, States]:
    start = tuple(packing.pack_state(state)[None] for state in states)
    output, finals = run_fused(cell.fused_mode or "", [weights], x, start, packing)
    return output, tuple(packing.unpack_state(one[0], state) for one, state in zip(finals, states, strict=True))


def _run_as_one(readings: Sequence[Reading], given: Sequences) -> bool:
    """Return whether torch's bidirectional operation can compute both directions at once."""
    slots = [slot for reading in readings for slot in reading.slots]
    if len(readings) != 2 or len(slots) != 2 or given.dropout or readings[0].go_backwards or frees_time(given.x):
        return False
    one, other = (replace(slot.cell, dropout=0.0, recurrent_dropout=0.0, implementation=2) for slot in slots)
    if one != other or one.fused_mode is None:
        return False
    shown_alike = not given.return_sequences or all(reading.zero_output_for_mask for reading in readings)
    return given.mask is None or (shown_alike and _can_pack(readings[0], given))


def _run_both(
    readings: Sequence[Reading], weights: Weights, starts: Sequence[Finals], given: Sequences
) -> tuple[tuple[Tensor, ...], tuple[Finals, ...]]:
    packing = None if given.mask is None else Packing(given.mask)
    before = tuple(torch.stack(pair) for pair in zip(starts[0][0], starts[1][0], strict=True))
    states = before if packing is None else tuple(packing.pack_state(state) for state in before)
    slots = [reading.slots[0] for reading in readings]
    x = given.x if packing is None else packing.pack(given.x)
    output, last = run_fused(slots[0].cell.fused_mode or "", [weights[slot.suffix] for slot in slots], x, states, packing)
    if packing is not None:
        last = tuple(packing.unpack_state(one, state) for one, state in zip(last, before, strict=True))
    finals = tuple((tuple(state[side] for state in last),) for side in range(2))
    if given.return_sequences:
        return (output if packing is None else packing.unpack(output, zero_output=True),), finals
    ends = []
    for reading, ((h, *_),) in zip(readings, finals, strict=True):
        mask = None if given.mask is None else reading.in_reading_order(given.mask)
        ends.append(_last_output(h, mask, zero_output=reading.zero_output_for_mask))
    return tuple(ends), finals


def _can_pack(reading: Reading, given: Sequences) -> bool:
    """Return whether packing can replace the mask; not in a recorded call, because the packed sizes depend on the mask."""
    if given.mask is None or given.dropout or torch.compiler.is_compiling() or is_tracing():
        return False
    return all(cell.fused_mode for cell in reading.cells) and bool(given.mask.any())


def _last_output(h: Tensor, mask: Tensor | None, *, zero_output: bool) -> Tensor:
    """Return the output of the last step read, (batch, hidden): the hidden state, or under a mask possibly zero."""
    if mask is None:
        return h
    visible = mask[:, -1] if zero_output else mask.any(dim=1)
    return h.masked_fill(~visible.unsqueeze(-1), 0)
