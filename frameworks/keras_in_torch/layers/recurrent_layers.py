"""Keras's recurrent layers in torch, with Keras's arguments."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from typing import Any

from frameworks.errors import InvalidTypeError, InvalidValueError
from frameworks.keras_in_torch.layers.call_and_states import KerasLayer
from frameworks.keras_in_torch.layers.cell_modules import KerasCell, KerasGRUCell, KerasLSTMCell, KerasSimpleRNNCell
from frameworks.keras_in_torch.layers.directions import Reading
from frameworks.options import KerasOptions, MergeMode


class KerasRNN(KerasLayer):
    """Keras's `RNN` over one cell or a list of cells, whose parameters become its own.

    Parameters have torch's names, `weight_ih_l0` and so on, with one number per cell.

    Args:
        cell: a KerasCell, or a list of them; each cell reads the output of the previous one.
        return_sequences: whether the output of every time step is returned, rather than only that of the last step.
        return_state: whether the last states are returned too.
        go_backwards: whether the sequence is read from its end; outputs come in the order of reading.
        stateful: whether the states are kept from call to call, see `reset_state`.
        unroll: no effect, because torch always loops.
        zero_output_for_mask: whether the output of a masked step is zero, rather than the last valid output.

    Raises:
        GatewiseError: for cells that do not fit together, or that are not emulated cells.

    Example:
        >>> import torch
        >>> from frameworks.emulation.pytorch import KerasGRUCell, KerasLSTMCell, KerasRNN
        >>> layer = KerasRNN([KerasLSTMCell(4), KerasGRUCell(2)], return_sequences=True)
        >>> layer(torch.zeros(2, 5, 3)).shape
        torch.Size([2, 5, 2])
    """

    def __init__(
        self,
        cell: KerasCell | Sequence[KerasCell],
        *,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,  # noqa: ARG002  no effect
        zero_output_for_mask: bool = False,
    ) -> None:
        """Make the layer from the cells, whose parameters it shares."""
        cells: list[KerasCell] = list(cell) if isinstance(cell, Sequence) else [cell]
        _require_cells(cells)
        slots = tuple(replace(one.slots[0], suffix=f"_l{index}", reads_inputs=index == 0) for index, one in enumerate(cells))
        super().__init__(
            [Reading(slots, go_backwards, zero_output_for_mask, stacked=isinstance(cell, Sequence))],
            return_sequences=return_sequences,
            return_state=return_state,
            stateful=stateful,
            compute_dtype=cells[0].compute_dtype,
        )
        for below, one in pairwise(cells):
            one.build(below.cell.units)
            _require_stackable(below, one)
        for slot, one in zip(slots, cells, strict=True):
            self.adopt(slot.suffix, one, "")
        self.input_size = cells[0].input_size


def _require_cells(cells: Sequence[Any]) -> None:
    for cell in cells:
        if not isinstance(cell, KerasCell):
            raise InvalidTypeError.because(
                "the cell of a KerasRNN",
                must="be a KerasLSTMCell, KerasGRUCell or KerasSimpleRNNCell",
                but=f"is a {type(cell).__name__}",
                remedy="A custom cell is not emulated: write its step in torch, and run it over the time steps in a loop.",
            )
    if not cells or len({id(cell) for cell in cells}) != len(cells):
        raise InvalidValueError.because(
            "the cells of a KerasRNN",
            must="be one or more different objects",
            but=f"are {len({id(cell) for cell in cells})} in a list of {len(cells)}",
            remedy="Make a new cell for each layer.",
        )


def _require_stackable(below: KerasCell, one: KerasCell) -> None:
    # torch's float32 LSTM also runs with a kernel of a wrong size, and computes nonsense.
    for name, expected, actual in (("input_size", below.cell.units, one.input_size), ("dtypes", below.dtypes, one.dtypes)):
        if expected != actual:
            raise InvalidValueError.because(
                f"{name} of a stacked cell",
                must=f"be {expected}, to fit the previous cell",
                but=f"is {actual}",
                remedy="Leave input_size out, and give all cells the same dtype.",
            )


class _OneCellLayer(KerasRNN):
    """A layer of one cell; all further arguments are passed to the cell."""

    cell_class: type[KerasCell]

    def __init__(  # noqa: PLR0913  Keras's arguments
        self,
        units: int,
        activation: Any = "tanh",
        *,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        use_cudnn: bool | str = "auto",  # noqa: ARG002  no effect on the numbers
        zero_output_for_mask: bool = False,
        **arguments: Any,
    ) -> None:
        """Make the layer with Keras's arguments and defaults."""
        super().__init__(
            self.cell_class(units, activation, **arguments),
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            zero_output_for_mask=zero_output_for_mask,
        )


class KerasSimpleRNN(_OneCellLayer):
    """Keras's SimpleRNN in torch, with the arguments of `KerasRNN` and `KerasCell` and the parameters of nn.RNN.

    Example:
        >>> import torch
        >>> from frameworks.emulation.pytorch import KerasSimpleRNN
        >>> KerasSimpleRNN(4, activation="softsign")(torch.zeros(2, 5, 3)).shape
        torch.Size([2, 4])
    """

    cell_class = KerasSimpleRNNCell


class KerasLSTM(_OneCellLayer):
    """Keras's LSTM in torch, with the arguments of `KerasRNN` and `KerasCell` and the parameters of nn.LSTM.

    Example:
        >>> import torch
        >>> from frameworks.emulation.pytorch import KerasLSTM
        >>> layer = KerasLSTM(4, recurrent_activation="hard_sigmoid", return_sequences=True, return_state=True)
        >>> output, h, c = layer(torch.zeros(2, 5, 3))
        >>> output.shape, h.shape, c.shape
        (torch.Size([2, 5, 4]), torch.Size([2, 4]), torch.Size([2, 4]))
    """

    cell_class = KerasLSTMCell


class KerasGRU(_OneCellLayer):
    """Keras's GRU in torch, with the arguments of `KerasRNN` and `KerasCell` and the parameters of nn.GRU.

    Example:
        >>> import torch
        >>> from frameworks.emulation.pytorch import KerasGRU
        >>> layer = KerasGRU(4, reset_after=False, return_sequences=True, return_state=True)
        >>> output, h = layer(torch.zeros(2, 5, 3))
        >>> output.shape, h.shape
        (torch.Size([2, 5, 4]), torch.Size([2, 4]))
    """

    cell_class = KerasGRUCell


class KerasBidirectional(KerasLayer):
    """Keras's Bidirectional in torch, which shares the parameters of its layers.

    Parameters have torch's names, with `_reverse` for the backward direction. As in Keras, the output at masked steps is zero
    with `return_sequences=True`, whatever the layers' own flags.

    Args:
        layer: the forward layer.
        merge_mode: "concat", "sum", "mul", "ave", or None to return both directions separately.
        backward_layer: the backward layer; a copy of `layer` with newly drawn weights when None.

    Raises:
        GatewiseError: for layers that Keras cannot join either.

    Example:
        >>> import torch
        >>> from frameworks.emulation.pytorch import KerasBidirectional, KerasLSTM
        >>> layer = KerasBidirectional(KerasLSTM(4, return_sequences=True), merge_mode="sum")
        >>> layer(torch.zeros(2, 5, 3)).shape
        torch.Size([2, 5, 4])
    """

    def __init__(
        self, layer: KerasRNN, merge_mode: MergeMode | None = "concat", *, backward_layer: KerasRNN | None = None
    ) -> None:
        """Make the layer from both layers, whose parameters it shares."""
        for one in (layer, layer if backward_layer is None else backward_layer):
            if not isinstance(one, KerasRNN):
                raise InvalidTypeError.because(
                    "a layer of KerasBidirectional",
                    must="be a KerasLSTM, KerasGRU, KerasSimpleRNN or KerasRNN",
                    but=f"is a {type(one).__name__}",
                    remedy="Wrap recurrent layers only.",
                )
        other = _backward_twin(layer) if backward_layer is None else backward_layer
        _require_joinable(layer, other)
        KerasOptions(merge_mode=merge_mode)  # raises an error for a mode that Keras does not have
        readings = []
        for one, end in ((layer, ""), (other, "_reverse")):
            (reading,) = one.readings
            slots = tuple(replace(slot, suffix=f"{slot.suffix}{end}") for slot in reading.slots)
            readings.append(replace(reading, slots=slots, zero_output_for_mask=layer.return_sequences))
        super().__init__(
            readings,
            return_sequences=layer.return_sequences,
            return_state=layer.return_state,
            stateful=layer.stateful,
            merge_mode=merge_mode,
            compute_dtype=layer.compute_dtype,
        )
        for one, reading in zip((layer, other), readings, strict=True):
            for slot, own in zip(reading.slots, one.slots, strict=True):
                self.adopt(slot.suffix, one, own.suffix)
        known = layer.input_size or other.input_size
        if known is not None:
            self.build(known)
        if layer.states is not None and other.states is not None:
            self.store_states([*layer.states, *other.states])


def _backward_twin(layer: KerasRNN) -> KerasRNN:
    twin = deepcopy(layer)
    twin.readings = tuple(replace(reading, go_backwards=True) for reading in layer.readings)
    twin.reset_parameters()
    return twin


def _require_joinable(forward: KerasRNN, backward: KerasRNN) -> None:
    if forward.readings[0].go_backwards == backward.readings[0].go_backwards:
        raise InvalidValueError.because(
            "go_backwards of the two directions",
            must="differ",
            but=f"is {forward.readings[0].go_backwards} in both",
            remedy="Give the backward_layer the other value.",
        )
    for name in ("stateful", "return_sequences", "return_state", "dtypes", "input_size"):
        one, other = getattr(forward, name), getattr(backward, name)
        if one != other and not (name == "input_size" and None in (one, other)):
            raise InvalidValueError.because(
                f"{name} of the two directions",
                must="be the same",
                but=f"is {one} and {other}",
                remedy="Make them equal.",
            )
