"""Keras's cells as torch modules: one call is one time step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from frameworks.cells import CellName
from frameworks.errors import InvalidValueError
from frameworks.keras_in_torch.initialisers import check_initialiser
from frameworks.keras_in_torch.layers.activations import Activation, name_activation
from frameworks.keras_in_torch.layers.arguments import check_count, check_states, complete_arguments
from frameworks.keras_in_torch.layers.cells import Cell, Tensor
from frameworks.keras_in_torch.layers.dropout import NO_MASKS, DropoutMasks, draw_masks
from frameworks.keras_in_torch.layers.parameters import CellHolder, Slot, Start
from frameworks.keras_in_torch.layers.steps import make_step, project


class KerasCell(CellHolder):
    """One Keras cell, called for each time step: `output, states = cell(inputs, states)`.

    Args:
        units: the hidden size.
        activation: a Keras name, "keras2_hard_sigmoid", or a torch function; None for no activation.
        input_size: the features of a time step; determined by the first call when None.
        device: the device of the parameters.
        arguments: the other arguments of the Keras cell (https://keras.io/api/layers/recurrent_layers/), with Keras's defaults.
            `dtype` is a torch dtype or the name of a Keras policy, such as "mixed_float16". `seed` and `name` have no effect:
            dropout draws from torch's global random state. Regularisers and constraints raise an error.

    Raises:
        GatewiseError: for an argument that the cell does not have, or a value that Keras rejects.
    """

    kind: CellName

    def __init__(
        self,
        units: int,
        activation: str | Activation | None = "tanh",
        *,
        input_size: int | None = None,
        device: Any = None,
        **arguments: Any,
    ) -> None:
        """Make the cell; its kernel has no shape until the input size is known."""
        given = complete_arguments(self.kind, arguments)
        cell, start = _describe(self.kind, units, activation, given)
        dtype, compute_dtype = _dtypes(given["dtype"])
        super().__init__([Slot(cell, start)], compute_dtype)
        self._masks: DropoutMasks | None = None
        self.make_parameters(input_size, dtype, device, trainable=given["trainable"])

    @property
    def cell(self) -> Cell:
        """The description of the cell."""
        return self.slots[0].cell

    def forward(self, inputs: Tensor, states: Any, training: bool | None = None) -> tuple[Tensor, Any]:  # noqa: FBT001  Keras's
        """Compute one time step.

        Args:
            inputs: (batch, input).
            states: h, or [h, c] of an LSTM, each (batch, hidden).
            training: whether dropout is applied; the module's own mode when None. Its masks are kept until
                `reset_dropout_mask` is called.

        Returns:
            The output, (batch, hidden), and the new states: a list if `states` was a list, otherwise h alone.
        """
        x = self.read_inputs(inputs, ("batch", "input"))
        start = check_states("states", states, self.cell, x)
        masks = self._current_masks(x) if (self.training if training is None else training) else NO_MASKS
        weights = self.weights(self.slots[0])
        stepped = make_step(self.cell, weights, masks)(project(self.cell, weights, x, masks), start)
        return stepped[0], list(stepped) if isinstance(states, (list, tuple)) else stepped[0]

    def reset_dropout_mask(self) -> None:
        """Drop the masks, so that the next step in training draws new ones."""
        self._masks = None

    def _current_masks(self, x: Tensor) -> DropoutMasks:
        if self._masks is None:
            self._masks = draw_masks(self.cell, x, x.shape[-1])
        return self._masks

    def extra_repr(self) -> str:
        """Return the description of the cell, for `repr`."""
        return repr(self.cell)


class KerasSimpleRNNCell(KerasCell):
    """Keras's SimpleRNNCell, see `KerasCell`.

    Example:
        >>> import torch
        >>> from frameworks.emulation.pytorch import KerasSimpleRNNCell
        >>> cell = KerasSimpleRNNCell(2, activation="relu")
        >>> output, state = cell(torch.zeros(1, 3), torch.zeros(1, 2))
        >>> output.tolist()
        [[0.0, 0.0]]
    """

    kind = "rnn"


class KerasLSTMCell(KerasCell):
    """Keras's LSTMCell, see `KerasCell`.

    Example:
        >>> import torch
        >>> from frameworks.emulation.pytorch import KerasLSTMCell
        >>> cell = KerasLSTMCell(2, recurrent_activation="hard_sigmoid")
        >>> output, (h, c) = cell(torch.zeros(1, 3), [torch.zeros(1, 2), torch.ones(1, 2)])
        >>> torch.equal(output, h), c.shape
        (True, torch.Size([1, 2]))
    """

    kind = "lstm"


class KerasGRUCell(KerasCell):
    """Keras's GRUCell, see `KerasCell`.

    Example:
        >>> import torch
        >>> from frameworks.emulation.pytorch import KerasGRUCell
        >>> cell = KerasGRUCell(2, reset_after=False)
        >>> output, state = cell(torch.zeros(1, 3), torch.zeros(1, 2))
        >>> output.tolist()
        [[0.0, 0.0]]
    """

    kind = "gru"


CELL_MODULES: Mapping[CellName, type[KerasCell]] = {
    module.kind: module for module in (KerasSimpleRNNCell, KerasLSTMCell, KerasGRUCell)
}
"""The module of each cell."""


def _describe(kind: CellName, units: int, activation: str | Activation | None, given: dict[str, Any]) -> tuple[Cell, Start]:
    check_count("units", units)
    # Keras silently clips a rate.
    rates = {name: min(1.0, max(0.0, float(given[name]))) for name in ("dropout", "recurrent_dropout")}
    cell = Cell(
        name=kind,
        units=units,
        activation=name_activation(activation, "activation"),
        recurrent_activation=name_activation(given.get("recurrent_activation", "sigmoid"), "recurrent_activation"),
        use_bias=bool(given["use_bias"]),
        reset_after=bool(given.get("reset_after", True)),
        implementation=given.get("implementation", 2),
        **rates,
    )
    initialisers = {part: given[f"{part}_initializer"] for part in ("kernel", "recurrent", "bias")}
    for part, initialiser in initialisers.items():
        check_initialiser(initialiser, f"{part}_initializer")
    return cell, Start(**initialisers, unit_forget_bias=bool(given.get("unit_forget_bias", False)))


def _dtypes(dtype: Any) -> tuple[torch.dtype | None, torch.dtype | None]:
    """Return the dtype of the parameters, and the dtype of the arithmetic if it differs."""
    if dtype is None:
        return None, None
    name = str(dtype).removeprefix("mixed_").removeprefix("torch.")
    arithmetic = getattr(torch, name, None)
    if not isinstance(arithmetic, torch.dtype) or not arithmetic.is_floating_point:
        raise InvalidValueError.because(
            "dtype",
            must="be a floating-point dtype or a dtype policy of Keras",
            but=f"is {dtype!r}",
            remedy='Pass "float32", for example.',
        )
    return (torch.float32, arithmetic) if str(dtype).startswith("mixed_") else (arithmetic, None)
