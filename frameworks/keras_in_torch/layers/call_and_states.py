"""The base of Keras's recurrent layers in torch: Keras's call, and states that are kept from call to call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch

from frameworks.errors import InvalidValueError
from frameworks.keras_in_torch.layers.arguments import check_states, wrong_nesting
from frameworks.keras_in_torch.layers.cells import Tensor
from frameworks.keras_in_torch.layers.directions import Finals, Masks, Reading, Sequences, run_directions
from frameworks.keras_in_torch.layers.dropout import NO_MASKS, draw_masks
from frameworks.keras_in_torch.layers.masking import read_mask
from frameworks.keras_in_torch.layers.parameters import CellHolder
from frameworks.keras_in_torch.layers.recording import is_exporting, loses_states, untraced
from frameworks.options import KerasOptions, MergeMode

_MERGES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = MappingProxyType(
    {
        "concat": lambda forward, backward: torch.cat((forward, backward), dim=-1),
        "sum": torch.add,
        "mul": torch.mul,
        "ave": lambda forward, backward: (forward + backward) / 2,
    }
)


class KerasLayer(CellHolder):
    """A recurrent Keras layer in torch, with Keras's call, results and stored states.

    If torch has an operation that computes the same, the layer uses it: `torch.lstm`, `torch.gru`, `torch.rnn_tanh` or
    `torch.rnn_relu`, over packed steps if there is a mask. Otherwise it loops over time, with one input projection for all
    time steps.

    `torch.compile` accepts every layer; an LSTM that uses `torch.lstm` breaks the graph, as nn.LSTM does. The compilers of
    torch 2.9 and earlier raise an error of their own for most layers, also in `torch.export` with `strict=True`.

    `torch.export`, `torch.jit.trace` and `torch.onnx.export` accept every layer. A trace works for any batch size and number of
    time steps. A program of `torch.export` works for those of its example, unless its `dynamic_shapes` name the batch or the
    time axis, and raises an error for others; so does an ONNX model, with `dynamic_shapes` or, with `dynamo=False`,
    `dynamic_axes`. With a free time axis the program holds torch's `scan` instead of a fused operation; this needs torch 2.13
    and `strict=False`, its default. `torch.jit.script` is refused.

    A stateful layer must have been called before `torch.export`. It is refused by `torch.jit.trace`, in ONNX and in replicas of
    `torch.nn.DataParallel`, which would lose its states.

    Attributes:
        readings: the directions, one or two.
        return_sequences: whether the output of every time step is returned, rather than only that of the last step.
        return_state: whether the last states are returned too.
        stateful: whether the states are kept from call to call.
        merge_mode: how two directions are joined; None returns them separately.
    """

    def __init__(
        self,
        readings: Sequence[Reading],
        *,
        return_sequences: bool,
        return_state: bool,
        stateful: bool,
        merge_mode: MergeMode | None = "concat",
        compute_dtype: torch.dtype | None = None,
    ) -> None:
        """Make a module without parameters yet."""
        super().__init__([slot for reading in readings for slot in reading.slots], compute_dtype)
        self.readings = tuple(readings)
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.stateful = stateful
        self.merge_mode = merge_mode

    @property
    def options(self) -> KerasOptions:
        """The layer's Keras flags."""
        cells = [slot.cell for slot in self.slots]
        return KerasOptions(
            return_sequences=self.return_sequences,
            return_state=self.return_state,
            go_backwards=self.readings[0].go_backwards,
            merge_mode=self.merge_mode,
            stateful=self.stateful,
            zero_output_for_mask=self.readings[0].zero_output_for_mask,
            nesting="cells" if self.readings[0].stacked else "layers",
            dropout=max(cell.dropout for cell in cells),
            recurrent_dropout=max(cell.recurrent_dropout for cell in cells),
        )

    def forward(self, inputs: Tensor, initial_state: Any = None, mask: Any = None, training: bool | None = None) -> Any:  # noqa: FBT001  Keras's
        """Compute the same as the call of the Keras layer.

        Args:
            inputs: (batch, time, input).
            initial_state: states, nested as the layer returns them: a list of (batch, hidden), h before c, forward before
                backward; for stacked cells a list of such lists. None for zeros, or for a stateful layer's stored states.
            mask: (batch, time) bool, True at valid steps; None if all steps are valid.
            training: whether dropout is applied; the module's own mode when None.

        Returns:
            One tensor, or a tuple of the output and the states, nested as Keras nests them.

        Raises:
            GatewiseError: for arguments that do not fit the layer.
        """
        x = self.read_inputs(inputs, ("batch", "time", "input"))
        steps = read_mask(mask, x)
        starts = self._starts(initial_state, x)
        dropout = self._draw_masks(x) if (self.training if training is None else training) else {}
        weights = {slot.suffix: self.weights(slot) for slot in self.slots}
        given = Sequences(x, steps, dropout, self.return_sequences)
        outputs, finals = run_directions(self.readings, weights, starts, given)
        if self.stateful:
            self._store(finals)
        return self._returned(self._merge(outputs), finals)

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor | None:  # noqa: ARG002  Keras's
        """Return the mask of the layer's output: the same mask, or None if only the last step is returned."""
        return mask if self.return_sequences else None

    @property
    def states(self) -> Any:
        """The stored states of a stateful layer, nested as the layer returns them, or None if there are none."""
        stored = self.stored()
        return None if stored is None else [entry for one in zip(self.readings, stored, strict=True) for entry in _nested(*one)]

    def reset_state(self) -> None:
        """Set the stored states of a stateful layer to zero."""
        for name in self._state_names():
            stored = getattr(self, name, None)
            if stored is not None:
                stored.zero_()

    def reset_states(self) -> None:
        """Do the same as `reset_state`; Keras has both names."""
        self.reset_state()

    def store_states(self, states: Any) -> None:
        """Set the stored states of a stateful layer.

        Args:
            states: nested as the layer returns them.
        """
        leaf = states
        while isinstance(leaf, (list, tuple)):
            leaf = leaf[0]
        checked = self._checked_states(states, leaf)
        _check_batch(self.stored(), leaf)
        self._store(checked)

    def extra_repr(self) -> str:
        """Return the cells and the return flags, for `repr`."""
        cells = " <- ".join(str(reading.cells) for reading in self.readings)
        return f"{cells}, return_sequences={self.return_sequences}, return_state={self.return_state}"

    def _merge(self, outputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the output as Keras does: one tensor, or one per direction if the directions are not merged."""
        if len(self.readings) == 1 or (len(outputs) == 1 and self.merge_mode == "concat"):
            return outputs
        forward, backward = outputs if len(outputs) == 2 else outputs[0].chunk(2, dim=-1)
        if self.merge_mode is None:
            return forward, backward
        return (_MERGES[self.merge_mode](forward, backward),)

    def _returned(self, outputs: tuple[Tensor, ...], finals: Sequence[Finals]) -> Any:
        states = [entry for one in zip(self.readings, finals, strict=True) for entry in _nested(*one)]
        returned = (*outputs, *states) if self.return_state else outputs
        return returned[0] if len(returned) == 1 else returned

    def _draw_masks(self, x: Tensor) -> Masks:
        drawn: Masks = {}
        for reading in self.readings:
            size = x.shape[-1]
            for slot in reading.slots:
                masks = draw_masks(slot.cell, x, size)
                if masks != NO_MASKS:
                    drawn[slot.suffix] = masks
                size = slot.cell.units
        return drawn

    def _starts(self, initial_state: Any, x: Tensor) -> tuple[Finals, ...]:
        stored = self.stored() if self.stateful else None
        if self.stateful:
            _require_storage(self, stored)
            _check_batch(stored, x)
        if initial_state is not None:
            return self._checked_states(initial_state, x)
        if stored is not None:
            # Copies, because the stored states are overwritten in place, but a backward pass may still need the old ones.
            return tuple(tuple(tuple(each.to(x.dtype, copy=True) for each in states) for states in one) for one in stored)
        return tuple(
            tuple(tuple(x.new_zeros((x.shape[0], cell.units)) for _ in cell.state_names) for cell in reading.cells)
            for reading in self.readings
        )

    def _checked_states(self, given: Any, x: Tensor) -> tuple[Finals, ...]:
        counts = [reading.states_taken for reading in self.readings]
        entries = list(given) if isinstance(given, (list, tuple)) else [given]
        if len(entries) != sum(counts):
            raise wrong_nesting(f"a list of {sum(counts)}, as the layer returns its states", given)
        parts = iter([entries[: counts[0]], entries[counts[0] :]])
        return tuple(_states_of(reading, part, x) for reading, part in zip(self.readings, parts, strict=False))

    def _state_names(self) -> Iterator[str]:
        for slot in self.slots:
            yield from (f"state_{name}{slot.suffix}" for name in slot.cell.state_names)

    def part(self, reading: Reading) -> KerasLayer:
        """Return a layer of one direction that shares the parameters of its cells and has no stored states."""
        layer = KerasLayer(
            [reading],
            return_sequences=self.return_sequences,
            return_state=self.return_state,
            stateful=False,
            compute_dtype=self.compute_dtype,
        )
        for slot in reading.slots:
            layer.adopt(slot.suffix, self, slot.suffix)
        layer.input_size = getattr(layer, f"weight_ih{reading.slots[0].suffix}").shape[1]
        return layer.train(self.training)

    def forget_states(self) -> None:
        """Drop the stored states, so that a stateful layer starts from zeros with any batch size."""
        for name in self._state_names():
            self._buffers.pop(name, None)

    def stored(self) -> tuple[Finals, ...] | None:
        """Return the stored states by direction, cell and state, each (batch, hidden), or None if there are none."""
        if any(getattr(self, name, None) is None for name in self._state_names()):
            return None
        return tuple(
            tuple(
                tuple(getattr(self, f"state_{name}{slot.suffix}") for name in slot.cell.state_names) for slot in reading.slots
            )
            for reading in self.readings
        )

    def _store(self, finals: Sequence[Finals]) -> None:
        flat = [state for one in finals for states in one for state in states]
        for name, state in zip(self._state_names(), flat, strict=True):
            stored = getattr(self, name, None)
            if stored is None:  # as in Keras, states are not saved with the weights
                with torch.inference_mode(False):  # noqa: FBT003  so that later calls outside of inference_mode can overwrite them
                    self.register_buffer(name, state.detach().clone(), persistent=False)
            else:
                stored.copy_(state.detach())


def _require_storage(layer: KerasLayer, stored: tuple[Finals, ...] | None) -> None:
    """Raise an error where states that are stored in this call would be lost."""
    if place := loses_states(layer):
        raise InvalidValueError.because(
            "a stateful layer",
            must="keep its states from call to call",
            but=f"cannot do so in {place}",
            remedy="Set stateful=False and return_state=True on it and pass the states on, or use gatewise.one_step.",
        )
    if stored is None and is_exporting():
        raise InvalidValueError.because(
            "a stateful layer",
            must="hold its states before it is exported",
            but="has not been called yet",
            remedy="Call it once on a batch of the size to export, then call reset_state().",
        )


@untraced
def _check_batch(stored: tuple[Finals, ...] | None, x: Tensor) -> None:
    """Raise an error for another batch size than that of the stored states, as in Keras."""
    if stored is not None and stored[0][0][0].shape[0] != x.shape[0]:
        raise InvalidValueError.because(
            "inputs of a stateful layer",
            must=f"have the batch size of its stored states, {stored[0][0][0].shape[0]}",
            but=f"have {x.shape[0]}",
            remedy="Pass as many rows as in the first call, or make a layer for the other batch size.",
        )


def _nested(reading: Reading, finals: Finals) -> list[Any]:
    """Return the states of one direction as Keras nests them: the arrays of one cell, or one list per stacked cell."""
    return [list(states) for states in finals] if reading.stacked else list(finals[0])


def _states_of(reading: Reading, entries: list[Any], x: Tensor) -> Finals:
    if not reading.stacked:
        return (check_states("initial_state", entries, reading.cells[0], x),)
    named = zip(reading.cells, entries, strict=True)
    return tuple(check_states(f"initial_state[{index}]", entry, cell, x) for index, (cell, entry) in enumerate(named))
