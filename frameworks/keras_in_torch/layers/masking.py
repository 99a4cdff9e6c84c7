"""Masks of any pattern: reading them, Keras's outputs at masked steps, and packing the valid steps.

Keras's rule (keras/src/backend/*/rnn.py): a masked step does not change the states. Its output repeats the last valid output,
and is zero before the first one; with `zero_output_for_mask` it is always zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch

from frameworks.errors import InvalidTypeError, InvalidValueError
from frameworks.keras_in_torch.layers.recording import untraced

Tensor = torch.Tensor


def read_mask(mask: object, inputs: Tensor, axes: tuple[str, ...] = ("batch", "time")) -> Tensor | None:
    """Return a mask as bool, on the device of the inputs.

    Args:
        mask: with these axes, bool or numbers 0 and 1; None if all steps are valid.
        inputs: (batch, time, ...), or (batch, ...) of one time step.
        axes: names of the axes of the mask.

    Raises:
        GatewiseError: for a wrong type or shape, or other values.
    """
    if mask is None:
        return None
    if not isinstance(mask, torch.Tensor):
        raise InvalidTypeError.because(
            "mask", must="be a torch tensor", but=f"is a {type(mask).__name__}", remedy="Convert it with torch.as_tensor."
        )
    _require_fitting(mask, inputs, axes)
    return mask.to(device=inputs.device, dtype=torch.bool)


@untraced
def _require_fitting(mask: Tensor, inputs: Tensor, axes: tuple[str, ...]) -> None:
    shape = inputs.shape[: len(axes)]
    if mask.shape != shape:
        raise InvalidValueError.because(
            "mask",
            must=f"have shape ({', '.join(axes)}) = {tuple(shape)}",
            but=f"has {tuple(mask.shape)}",
            remedy=f"Pass one value for each {'row' if len(axes) == 1 else 'row and time step'}.",
        )
    if mask.dtype != torch.bool:
        _require_yes_or_no(mask)


def _require_yes_or_no(mask: Tensor) -> None:
    if mask.is_complex() or (not torch.compiler.is_compiling() and bool(((mask != 0) & (mask != 1)).any())):
        raise InvalidTypeError.because(
            "mask",
            must="be bool, or contain only 0 and 1",
            but=f"has other values, of dtype {mask.dtype}",
            remedy="Compare with the padding value, as in `ids != 0`.",
        )


def blank(outputs: Tensor, mask: Tensor, *, zero_output: bool) -> Tensor:
    """Set the outputs to zero wherever Keras outputs zero.

    Args:
        outputs: (batch, time, hidden), with the last valid output at masked steps.
        mask: (batch, time), in the order of reading.
        zero_output: whether every masked step becomes zero, rather than only those before the first valid step.
    """
    visible = mask if zero_output else mask.long().cumsum(dim=1) > 0  # ONNX has no cummax
    return outputs.masked_fill(~visible.unsqueeze(-1), 0)


@dataclass(frozen=True)
class Packing:
    """The valid steps of a batch, in the order of a `torch.nn.utils.rnn.PackedSequence`.

    Rows without a valid step are left out of the packed batch.

    Args:
        mask: (batch, time) bool.
    """

    mask: Tensor

    @cached_property
    def _lengths(self) -> Tensor:
        return self.mask.sum(dim=1)

    @cached_property
    def rows(self) -> Tensor:
        """(packed batch,), the indices of the rows in the batch, longest first."""
        order = self._lengths.argsort(descending=True, stable=True)
        return order[: int((self._lengths > 0).sum())]

    @cached_property
    def _counted(self) -> Tensor:
        """(packed batch, longest), whether a row has more than that many valid steps."""
        lengths = self._lengths[self.rows]
        longest = int(lengths[0]) if len(lengths) else 0
        return torch.arange(longest, device=self.mask.device) < lengths.unsqueeze(1)

    @cached_property
    def batch_sizes(self) -> Tensor:
        """(longest,), the number of rows in each packed step, on the CPU as torch requires."""
        return self._counted.sum(dim=0).cpu()

    @cached_property
    def _places(self) -> Tensor:
        """(step,), the index of each packed step in the flattened (batch * time)."""
        time = self.mask.shape[1]
        valid_first = (~self.mask[self.rows]).to(torch.int8).argsort(dim=1, stable=True)[:, : self._counted.shape[1]]
        return (self.rows.unsqueeze(1) * time + valid_first).t()[self._counted.t()]

    def pack(self, x: Tensor) -> Tensor:
        """Return the valid steps of (batch, time, feature), as (step, feature)."""
        return x.flatten(0, 1)[self._places]

    def unpack(self, packed: Tensor, *, zero_output: bool) -> Tensor:
        """Return packed (step, feature) as (batch, time, feature), with masked steps as in Keras."""
        batch, time = self.mask.shape
        shown = self._scatter(packed) if zero_output else self._repeat(packed)
        return shown.view(batch, time, -1)

    def _scatter(self, packed: Tensor) -> Tensor:
        """Return (batch * time, feature), with zeros at masked steps."""
        flat = packed.new_zeros((self.mask.numel(), packed.shape[1]))
        return flat.index_copy(0, self._places, packed)

    def _repeat(self, packed: Tensor) -> Tensor:
        """Return (batch * time, feature); masked steps repeat the last valid step, and are zero before the first one."""
        batch, time = self.mask.shape
        number = self._places.new_zeros(batch * time)
        number[self._places] = torch.arange(len(self._places), device=packed.device)
        steps = torch.arange(time, device=packed.device)
        last_valid = torch.where(self.mask, steps, -1).cummax(dim=1).values
        flat = torch.arange(batch, device=packed.device).unsqueeze(1) * time + last_valid.clamp(min=0)
        return packed[number[flat.flatten()]].masked_fill_((last_valid < 0).flatten().unsqueeze(-1), 0)

    def pack_state(self, state: Tensor) -> Tensor:
        """Return the packed rows of (..., batch, hidden), as (..., packed batch, hidden)."""
        return state.index_select(-2, self.rows)

    def unpack_state(self, packed: Tensor, before: Tensor) -> Tensor:
        """Return (..., batch, hidden): the packed rows, and the previous state of all other rows."""
        return before.index_copy(-2, self.rows, packed)
