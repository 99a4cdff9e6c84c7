"""The Protocol of adapters, and the checks of a call's arguments that all frameworks share."""

from __future__ import annotations

from inspect import isfunction
from typing import Any, Protocol, TypeGuard

import numpy as np
import numpy.typing as npt

from frameworks.errors import GatewiseError, InvalidTypeError, InvalidValueError
from frameworks.gradients import RecurrentGradients
from frameworks.options import KerasOptions
from frameworks.output import RecurrentOutput
from frameworks.rows import FrameworkName
from frameworks.spec import DTypeName, RecurrentSpec
from frameworks.weights import DirectionWeights, RecurrentWeights

Array = npt.NDArray[np.floating]
States = tuple[Array, ...]
Mask = npt.NDArray[np.bool_]


class Adapter(Protocol):
    """A recurrent layer of any framework behind one interface.

    Attributes:
        framework: "keras" or "pytorch".
        native: the user's own layer; only setting weights changes it.
        spec: the recurrence and its sizes.
        options: the Keras flags of its call, or None if the layer has none.
        dropout: the dropout rate between layers in training.
        is_cell: whether it is a bare cell, which the adapter steps through time itself.
        batch_size: the only batch size that its own call accepts, or None if it accepts any.
        zeroes_masked_steps: whether its output at a masked step is zero, rather than the last valid output.
        time_major: whether its own call has the time axis first; None for a layer in a file that does not state it.
        mask: the origin of the mask that its model passes to it, such as "embedding"; "" if there is none or it is unknown.
        precision: the dtype whose tolerance applies to its results; coarser than its own dtype if the framework rounds more.
        notes: remarks for the reader of its results on how they were computed.
    """

    @property
    def framework(self) -> FrameworkName: ...
    @property
    def native(self) -> Any: ...
    @property
    def spec(self) -> RecurrentSpec: ...
    @property
    def options(self) -> KerasOptions | None: ...
    @property
    def dropout(self) -> float: ...
    @property
    def is_cell(self) -> bool: ...
    @property
    def batch_size(self) -> int | None: ...
    @property
    def zeroes_masked_steps(self) -> bool: ...
    @property
    def time_major(self) -> bool | None: ...
    @property
    def mask(self) -> str: ...
    @property
    def precision(self) -> DTypeName: ...
    @property
    def notes(self) -> tuple[str, ...]: ...

    def get_weights(self) -> RecurrentWeights:
        """Return the weights in canonical form, as read-only copies."""

    def set_weights(self, weights: RecurrentWeights) -> None:
        """Set all weights, after checking all of them."""

    def read(self, layer: int, direction: int) -> DirectionWeights:
        """Return the weights of one direction, gates in the framework's order, as views where the framework allows them."""

    def write(self, layer: int, direction: int, source: DirectionWeights) -> int:
        """Write the weights of one direction, already checked, one stored array at a time; return the number of arrays."""

    def forward(self, inputs: Array, initial_state: Array | States | None = None, mask: Mask | None = None) -> RecurrentOutput:
        """Run the layer in inference.

        Args:
            inputs: (batch, time, input), NumPy, in the layer's dtype.
            initial_state: h_0, or (h_0, c_0) for an LSTM, each (layer * direction, batch, hidden); zeros when None.
            mask: (batch, time) bool, True at valid steps; None if all steps are valid.

        Raises:
            GatewiseError: for arguments that do not fit the layer, and for a layer that would draw random numbers.
        """

    def gradients(
        self, inputs: Array, initial_state: Array | States | None, mask: Mask | None, cotangents: RecurrentOutput
    ) -> RecurrentGradients:
        """Differentiate `forward` with the framework's own automatic differentiation, and leave the layer as it was.

        Frozen weights are differentiated too.

        Args:
            inputs: as in `forward`.
            initial_state: as in `forward`; the gradient with respect to it is returned even if it is None.
            mask: as in `forward`.
            cotangents: arrays shaped like the results; the scalar that is differentiated is the sum of all results times these.

        Raises:
            GatewiseError: as in `forward`, and for a backend without automatic differentiation.
        """


class FlaggedAdapter(Adapter, Protocol):
    """An adapter of a layer whose own call follows Keras's flags, see `frameworks.registry.has_flags`."""

    def call(self, inputs: Array, initial_state: Array | States | None = None, mask: Mask | None = None) -> Any:
        """Call the layer itself with its own flags, in inference, and return NumPy arrays nested as Keras nests them.

        A stateful layer starts from `initial_state`, zeros when None, and gets its stored state back afterwards.

        Args:
            inputs: (batch, time, input).
            initial_state: h_0 or (h_0, c_0), each (layer * direction, batch, hidden).
            mask: (batch, time) bool.

        Raises:
            GatewiseError: for a bare cell, which has no call over time; for arguments that do not fit; if the call fails.
        """


_METHODS = tuple(name for name, member in vars(Adapter).items() if isfunction(member) and not name.startswith("_"))


def is_adapter(candidate: object) -> TypeGuard[Adapter]:
    """Return whether an object has an adapter's methods. Properties are not read: those of a layer in a file may raise."""
    return all(callable(getattr(type(candidate), name, None)) for name in _METHODS)


def check_call(
    spec: RecurrentSpec, inputs: Array, initial_state: Array | States | None, mask: Mask | None
) -> tuple[States, Mask | None]:
    """Check the arguments of a call, and return the initial states (zeros if none are passed) and the mask.

    Returns:
        The states in the order of `spec.state_names`, each (layer * direction, batch, hidden), and the mask.

    Raises:
        GatewiseError: for a wrong rank, size, dtype or number of states.
    """
    _check_array("inputs", inputs, spec.dtype)
    if inputs.ndim != 3 or inputs.shape[2] != spec.input_size:
        raise InvalidValueError.because(
            "inputs",
            must=f"have shape (batch, time, {spec.input_size})",
            but=f"have {inputs.shape}",
            remedy="Pass one batch with its batch and time axes, features last.",
        )
    batch, time, _ = inputs.shape
    if batch == 0 or time == 0:
        raise InvalidValueError.because(
            "inputs",
            must="hold at least one row and one time step",
            but=f"have {inputs.shape}",
            remedy="Leave empty batches out.",
        )
    if mask is not None:
        _check_mask(mask, (batch, time))
    return _check_states(spec, initial_state, batch), mask


def require_call_over_time(adapter: Adapter) -> None:
    """Raise an error for a bare cell, whose own call computes a single time step."""
    if adapter.is_cell:
        raise InvalidValueError.because(
            "the layer",
            must="have a call over time",
            but=f"is a bare {type(adapter.native).__name__}, which computes one time step",
            remedy="Wrap it as keras.layers.RNN(cell), or in torch as KerasRNN(cell).",
        )


def random_call(name: str) -> GatewiseError:
    """Return the error for a call that would draw random numbers."""
    return InvalidValueError.because(
        f"`training` in the call of {name}",
        must="be False for a layer with dropout",
        but="is True, so that the call would draw random numbers",
        remedy="Compare it in inference, or set its rates to 0.",
    )


def lengths_of(mask: Mask) -> npt.NDArray[np.int64]:
    """Return the number of valid steps in each row of a mask, (batch,), for packing.

    Args:
        mask: (batch, time) bool.

    Raises:
        GatewiseError: for a mask that is not right padding, and for a row without a valid step.
    """
    for row, steps in enumerate(mask):
        if not steps[0] or np.any(steps[1:] & ~steps[:-1]):
            raise InvalidValueError.because(
                f"row {row} of mask",
                must="be right padding that begins with at least one valid step",
                but=f"is {steps.astype(int).tolist()}",
                remedy="Packing allows nothing else: move the valid steps to the front, and leave empty rows out.",
            )
    lengths: npt.NDArray[np.int64] = mask.sum(axis=1)
    return lengths


def _check_array(subject: str, array: object, dtype: str) -> None:
    if not isinstance(array, np.ndarray) or isinstance(array, np.ma.MaskedArray):
        raise InvalidTypeError.because(
            subject,
            must="be a plain NumPy array",
            but=f"is a {type(array).__name__}",
            remedy="Convert it with numpy.asarray, and pass the steps to leave out as `mask`.",
        )
    if array.dtype != dtype:
        raise InvalidTypeError.because(
            subject, must=f"have the layer's dtype {dtype}", but=f"has {array.dtype}", remedy=f"Cast with .astype({dtype!r})."
        )


def _check_mask(mask: object, shape: tuple[int, int]) -> None:
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        kind = f"has dtype {mask.dtype}" if isinstance(mask, np.ndarray) else f"is a {type(mask).__name__}"
        raise InvalidTypeError.because(
            "mask",
            must="be a NumPy array of bool",
            but=kind,
            remedy="Compare with the padding value, as in `ids != 0`.",
        )
    if mask.shape != shape:
        raise InvalidValueError.because(
            "mask", must=f"have shape (batch, time) = {shape}", but=f"has {mask.shape}", remedy="Pass one bool per time step."
        )


def _check_states(spec: RecurrentSpec, initial_state: object, batch: int) -> States:
    shape = (spec.num_layers * spec.num_directions, batch, spec.hidden_size)
    names = spec.state_names
    if initial_state is None:
        return tuple(np.zeros(shape, spec.dtype) for _ in names)
    states = tuple(initial_state) if isinstance(initial_state, (tuple, list)) else (initial_state,)
    if len(states) != len(names):
        raise InvalidValueError.because(
            "initial_state",
            must=f"be {' and '.join(f'{name}_0' for name in names)} for this {spec.cell.upper()}",
            but=f"has {len(states)} array{'' if len(states) == 1 else 's'}",
            remedy="An LSTM takes (h_0, c_0); a GRU or simple RNN takes h_0 alone.",
        )
    for name, state in zip(names, states, strict=True):
        _check_array(f"{name}_0 of initial_state", state, spec.dtype)
        if state.shape != shape:
            raise InvalidValueError.because(
                f"{name}_0 of initial_state",
                must=f"have shape (layer * direction, batch, hidden) = {shape}",
                but=f"has {state.shape}",
                remedy="Stack the states of all layers and directions along a first axis.",
            )
    return states
