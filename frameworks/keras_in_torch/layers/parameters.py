"""The parameters of Keras's cells in torch modules, with the names, shapes and order of torch.nn.

As in Keras, the first call determines the input size. Until then the kernel is an UninitializedParameter, unless `input_size`
is given, a state_dict is loaded, or `build` is called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter

from frameworks.errors import InvalidValueError
from frameworks.keras_in_torch.initialisers import Initialiser, fill
from frameworks.keras_in_torch.layers.arguments import check_count, check_inputs
from frameworks.keras_in_torch.layers.cells import Cell, CellWeights, Tensor
from frameworks.keras_in_torch.layers.recording import Unscriptable
from frameworks.layouts import KERAS


@dataclass(frozen=True)
class Start:
    """The initialisers of a cell: Keras names, or functions that fill a torch tensor in place."""

    kernel: str | Initialiser
    recurrent: str | Initialiser
    bias: str | Initialiser
    unit_forget_bias: bool


@dataclass(frozen=True)
class Slot:
    """The place of one cell's parameters in a module.

    Args:
        cell: the cell to which the parameters belong.
        start: their initialisers.
        suffix: the end of their names, such as "", "_l0" or "_l1_reverse".
        reads_inputs: whether the cell reads the module's inputs, whose size may not be known yet.
    """

    cell: Cell
    start: Start
    suffix: str = ""
    reads_inputs: bool = True


class CellHolder(Unscriptable, nn.Module):
    """A module that owns the parameters of some cells, under torch's names.

    Attributes:
        input_size: the features of one time step, or None until it is known.
        compute_dtype: the dtype of the arithmetic, or None for the dtype of the parameters.
    """

    def __init__(self, slots: Sequence[Slot], compute_dtype: torch.dtype | None = None) -> None:
        """Make a module without parameters yet."""
        super().__init__()
        self.slots = tuple(slots)
        self._names = {slot.suffix: slot.cell.parameter_names for slot in self.slots}
        self.input_size: int | None = None
        self.compute_dtype = compute_dtype

    @property
    def built(self) -> bool:
        """Whether every parameter has its shape."""
        return self.input_size is not None

    @property
    def dtypes(self) -> tuple[torch.dtype, torch.dtype]:
        """The dtype of the parameters and the dtype of the arithmetic."""
        stored: torch.dtype = getattr(self, f"weight_hh{self.slots[0].suffix}").dtype
        return stored, self.compute_dtype or stored

    def build(self, input_size: int) -> None:
        """Make the parameters whose shape depends on the input size, unless they exist already.

        Args:
            input_size: the features of one time step.
        """
        if self.built:
            return
        check_count("input_size", input_size)
        for slot in self.slots:
            parameter = self._parameters.get(f"weight_ih{slot.suffix}")
            if slot.reads_inputs and isinstance(parameter, UninitializedParameter):
                with torch.inference_mode(False):  # noqa: FBT003  so that they can be trained even if the first call is in it
                    parameter.materialize(slot.cell.shapes(input_size)["weight_ih"])
                    self._draw_kernel(slot)
        self.input_size = input_size

    def reset_parameters(self) -> None:
        """Redraw every parameter that has its shape, with its initialiser."""
        for slot in self.slots:
            self._draw_kernel(slot)
            _fill_gates(getattr(self, f"weight_hh{slot.suffix}"), slot.start.recurrent, slot.cell)
            if slot.cell.use_bias:
                self._draw_biases(slot)

    def weights(self, slot: Slot) -> CellWeights:
        """Return the parameters of one cell, in the dtype of the arithmetic."""
        stored = CellWeights(**{name: getattr(self, f"{name}{slot.suffix}") for name in self._names[slot.suffix]})
        return stored if self.compute_dtype is None else stored.cast(self.compute_dtype)

    def read_inputs(self, inputs: Any, axes: tuple[str, ...]) -> Tensor:
        """Build the module if it is not built, and return the inputs cast to the dtype of the arithmetic, as in Keras.

        Args:
            inputs: a tensor with these axes.
            axes: names of the axes, the input last.
        """
        check_inputs(inputs, axes, self.input_size)
        self.build(inputs.shape[-1])
        cast: Tensor = inputs.to(self.dtypes[1])
        return cast

    def make_parameters(self, input_size: int | None, dtype: torch.dtype | None, device: Any, *, trainable: bool) -> None:
        """Make the parameters of every slot; the kernel has no shape if the input size is not known."""
        for slot in self.slots:
            for name, shape in slot.cell.shapes(1).items():
                # Where Keras trains one bias and torch has two, the second stays zero.
                trained = trainable and (name != "bias_hh" or slot.cell.trains_two_biases)
                how: Any = {"device": device, "dtype": dtype}
                waits: Any = UninitializedParameter(requires_grad=trained, **how)
                made = nn.Parameter(torch.empty(shape, **how), requires_grad=trained)
                self.register_parameter(f"{name}{slot.suffix}", waits if name == "weight_ih" else made)
        self.reset_parameters()
        if input_size is not None:
            self.build(input_size)

    def _draw_kernel(self, slot: Slot) -> None:
        parameter = getattr(self, f"weight_ih{slot.suffix}")
        if not isinstance(parameter, UninitializedParameter):
            _fill_gates(parameter, slot.start.kernel, slot.cell)

    def _draw_biases(self, slot: Slot) -> None:
        """Draw the biases in Keras's shapes, on which an initialiser may depend, and write them into torch's parameters."""
        start, cell = slot.start, slot.cell
        bias, *second = (getattr(self, name + slot.suffix).detach() for name in cell.parameter_names if "bias" in name)
        if cell.trains_two_biases:
            pair = torch.stack([bias, *second], dim=1)
            _fill_gates(pair, start.bias, cell)
            for row, drawn in zip((bias, *second), pair.unbind(1), strict=True):
                row.copy_(drawn)
            return
        blocks = [bias]
        if start.unit_forget_bias:
            at = cell.gates.index("forget") * cell.units
            before, forget, after = bias.split([at, cell.units, bias.numel() - at - cell.units])
            fill(forget, "ones")
            blocks = [before, after]
        for block in blocks:
            fill(block, start.bias)
        for row in second:  # Keras has no second bias
            fill(row, "zeros")

    def adopt(self, suffix: str, other: CellHolder, other_suffix: str) -> None:
        """Register a cell's parameters of another module as this module's own.

        Args:
            suffix: the end of the parameters' names in this module.
            other: the module that has the parameters.
            other_suffix: the end of their names in the other module.

        Raises:
            GatewiseError: for weights that are not plain parameters, because a parametrisation would be lost.
        """
        parameters = dict(other.named_parameters(recurse=False))
        for name in self._names[suffix]:
            parameter = parameters.get(f"{name}{other_suffix}")
            if parameter is None:
                raise InvalidValueError.because(
                    f"{name}{other_suffix} of the {type(other).__name__}",
                    must="be a plain parameter",
                    but="is parametrised (weight_norm, spectral_norm) or pruned",
                    remedy="Wrap the layer first and parametrise the wrapper, or make it plain with "
                    "torch.nn.utils.parametrize.remove_parametrizations.",
                )
            self.register_parameter(f"{name}{suffix}", parameter)

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        slot = self.slots[0]
        kernel = state_dict.get(f"{prefix}weight_ih{slot.suffix}")
        if isinstance(kernel, torch.Tensor) and kernel.ndim == 2 and kernel.shape[0] == slot.cell.shapes(1)["weight_ih"][0]:
            self.build(kernel.shape[1])
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:  # noqa: FBT001  torch's
        if not self.built:
            raise InvalidValueError.because(
                f"the input size of {type(self).__name__}",
                must="be known before its parameters are saved",
                but="is not yet",
                remedy="Call it once, or build(input_size).",
            )
        super()._save_to_state_dict(destination, prefix, keep_vars)


def _fill_gates(tensor: Tensor, initialiser: str | Initialiser, cell: Cell) -> None:
    """Fill a tensor whose first axis is (gate * hidden); a named initialiser draws in Keras's gate order."""
    fill(tensor, initialiser)
    if isinstance(initialiser, str):
        blocks = dict(zip(KERAS.gates[cell.name], tensor.detach().clone().chunk(len(cell.gates)), strict=True))
        tensor.detach().copy_(torch.cat([blocks[gate] for gate in cell.gates]))
