"""One time step of a recurrent torch module; its states are arguments and results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from frameworks.errors import InvalidValueError
from frameworks.keras_in_torch.layers.arguments import check_inputs
from frameworks.keras_in_torch.layers.masking import read_mask
from frameworks.keras_in_torch.layers.recording import Unscriptable, untraced
from frameworks.keras_in_torch.step_kinds import State, kind_of

Tensor = torch.Tensor
States = tuple[Tensor, ...]


class OneStep(Unscriptable, nn.Module):
    """One time step of a recurrent module, see `frameworks.one_step`.

    Attributes:
        module: the module, whose parameters the step uses.

    Example:
        >>> import torch
        >>> from frameworks.keras_in_torch.one_step import OneStep
        >>> step = OneStep(torch.nn.GRU(3, 4))
        >>> y, h_n = step(torch.zeros(2, 3), *step.initial_states(2))
        >>> y.shape, h_n.shape
        (torch.Size([2, 4]), torch.Size([1, 2, 4]))
    """

    def __init__(self, module: Any) -> None:
        """Wrap a module.

        Raises:
            GatewiseError: for a module that needs later steps, or that is not recurrent.
        """
        super().__init__()
        kind_of(module).check(module)
        self.module = module
        self.training = module.training

    def initial_states(self, batch: int) -> States:
        """Return the states before the first step: zeros, in the order of the call.

        Args:
            batch: the batch size.
        """
        return tuple(state.like.new_zeros(state.shape(batch), dtype=state.dtype) for state in self._states)

    def forward(self, x: Any, *states: Any, mask: Any = None) -> tuple[Tensor, ...]:
        """Compute one time step.

        Args:
            x: (batch, input), or token ids, (batch,).
            states: the states of the previous step; zeros if there are none.
            mask: (batch,) bool, False where a row has no step.

        Returns:
            The output, (batch, hidden), and the states.

        Raises:
            GatewiseError: for arguments that do not fit the module.
        """
        if not isinstance(x, Tensor) or x.ndim == 0:
            check_inputs(x, ("batch", "input"), None)
        expected = list(self._states)
        # torch.onnx.export(dynamo=False) passes the default of mask as one more state.
        given = tuple(state for state in states if state is not None) or self.initial_states(x.shape[0])
        _check_states(given, expected, x)
        valid = read_mask(mask, x, ("batch",))
        y, after, _ = kind_of(self.module).step(self.module, x, iter(given), valid)
        return (y, *after)

    @property
    def _states(self) -> Iterator[State]:
        return kind_of(self.module).states(self.module)


@untraced
def _check_states(given: Sequence[Any], expected: Sequence[State], x: Tensor) -> None:
    names = ", ".join(state.name for state in expected)
    if len(given) != len(expected):
        raise InvalidValueError.because(
            "the states of one_step",
            must=f"be the {len(expected)} of the module, {names}, or none for the first step",
            but=f"are {len(given)}",
            remedy="Pass them as the previous step returned them: `y, *states = step(x, *states)`.",
        )
    for index, (state, one) in enumerate(zip(expected, given, strict=True)):
        shape, axes = state.shape(x.shape[0]), "batch, hidden" if state.layers is None else "layer, batch, hidden"
        if not isinstance(one, Tensor) or tuple(one.shape) != shape:
            raise InvalidValueError.because(
                f"state {index} ({state.name}) of one_step",
                must=f"be a tensor ({axes}) = {shape}",
                but=f"has shape {tuple(one.shape)}" if isinstance(one, Tensor) else f"is a {type(one).__name__}",
                remedy="Pass the states as the previous step returned them, or initial_states(batch).",
            )
