"""The adapter of nn.RNN, nn.LSTM, nn.GRU and their cells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import product
from typing import Any

import numpy.typing as npt
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from frameworks import copying
from frameworks.adapter import Mask, States, check_call, lengths_of
from frameworks.errors import InvalidValueError
from frameworks.gradients import RecurrentGradients, arrange, check_cotangents
from frameworks.layouts import PYTORCH
from frameworks.output import RecurrentOutput
from frameworks.pytorch.gradients import pull_back
from frameworks.pytorch.structure import CELL_CLASSES, parameter_name, read_spec
from frameworks.rows import FrameworkName
from frameworks.shown_layers import ShownLayer
from frameworks.spec import DTypeName, RecurrentSpec
from frameworks.weights import DirectionWeights, RecurrentWeights

Array = npt.NDArray[Any]
Tensors = tuple[torch.Tensor, ...]


def adapt(native: Any) -> PyTorchAdapter:
    """Adapt a recurrent module of torch.nn."""
    return PyTorchAdapter(native)


class PyTorchAdapter(ShownLayer):
    """A recurrent torch module behind the common interface, see `frameworks.adapter.Adapter`."""

    framework: FrameworkName = "pytorch"
    options = None
    batch_size = None
    mask = ""

    def __init__(self, native: nn.Module) -> None:
        """Read the module's spec.

        Raises:
            GatewiseError: for a module that `frameworks.adapt` refuses.
        """
        self.spec = read_spec(native)
        self.native: Any = native
        self.is_cell = isinstance(native, tuple(CELL_CLASSES))
        self.dropout = float(getattr(native, "dropout", 0.0)) if self.spec.num_layers > 1 else 0.0

    @property
    def time_major(self) -> bool:
        """Whether the call has the time axis first; False for a cell, which has none."""
        return not self.is_cell and not self.native.batch_first

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
        """True: a masked call is packed, and unpacking fills masked steps with zeros."""
        return True

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
        """Run the module without gradients, see `Adapter.forward`; a mask must be right padding, with a valid step per row."""
        arrays, lengths = self._check(inputs, initial_state, mask)
        with torch.no_grad(), torch.autocast(self._device.type, enabled=False):
            results = self._run(lengths, *(_to_tensor(array, self._device) for array in arrays))
            return RecurrentOutput(*(result.cpu().numpy() for result in results))

    def gradients(
        self, inputs: Array, initial_state: Array | States | None, mask: Mask | None, cotangents: RecurrentOutput
    ) -> RecurrentGradients:
        """Differentiate `forward` with autograd, see `Adapter.gradients`; hooks on the module and its parameters run."""
        arrays, lengths = self._check(inputs, initial_state, mask)
        weights = check_cotangents(self.spec, inputs, cotangents)
        places = product(range(self.spec.num_layers), range(self.spec.num_directions))
        parameters = [parameter for place in places for _, parameter in self._parameters(*place)]
        given, counted = ([_to_tensor(array, self._device) for array in each] for each in (arrays, weights))
        with torch.autocast(self._device.type, enabled=False), _in_training(self.native):
            gradients = pull_back(partial(self._run, lengths), given, parameters, counted)
        return arrange([gradient.cpu().numpy() for gradient in gradients], PYTORCH, self.spec)

    @property
    def _device(self) -> torch.device:
        device: torch.device = next(self.native.parameters()).device
        return device

    def _check(
        self, inputs: Array, initial_state: Array | States | None, mask: Mask | None
    ) -> tuple[tuple[Array, ...], torch.Tensor | None]:
        """Check a call, and return its arrays, with zeros for missing states, and the lengths of the rows of its mask."""
        states, mask = check_call(self.spec, inputs, initial_state, mask)
        lengths = None if mask is None else torch.from_numpy(lengths_of(mask))
        if self.native.training and self.dropout:
            raise InvalidValueError.because(
                f"nn.{type(self.native).__name__}(dropout={self.dropout})",
                must="be in eval mode",
                but="is in training mode and would draw random numbers",
                remedy="Call .eval() on it first.",
            )
        return (inputs, *states), lengths

    def _parameters(self, layer: int, direction: int) -> Iterator[tuple[str, nn.Parameter]]:
        for name in PYTORCH.names(self.spec):
            yield name, getattr(self.native, parameter_name(self.native, name, layer, direction))

    def _run(self, lengths: torch.Tensor | None, x: torch.Tensor, *states: torch.Tensor) -> Tensors:
        """Return the output, (batch, time, direction * hidden), and the final states."""
        run = self._step_through if self.is_cell else self._call
        output, finals = run(x, states, lengths)
        return output, *finals

    def _call(self, x: torch.Tensor, states: Tensors, lengths: torch.Tensor | None) -> tuple[torch.Tensor, Tensors]:
        batch_first = self.native.batch_first
        time = x.shape[1]
        sequence: Any = x if batch_first else x.transpose(0, 1)
        if lengths is not None:
            sequence = pack_padded_sequence(sequence, lengths, batch_first=batch_first, enforce_sorted=False)
        output, finals = self.native(sequence, states if self.spec.has_cell_state else states[0])
        if lengths is not None:
            output, _ = pad_packed_sequence(output, batch_first=batch_first, total_length=time)
        return output if batch_first else output.transpose(0, 1), _as_tuple(finals)

    def _step_through(self, x: torch.Tensor, states: Tensors, lengths: torch.Tensor | None) -> tuple[torch.Tensor, Tensors]:
        current = tuple(state[0] for state in states)
        outputs = []
        for time in range(x.shape[1]):
            stepped = _as_tuple(self.native(x[:, time], current if self.spec.has_cell_state else current[0]))
            if lengths is not None:
                counts = (lengths > time).to(x.device)[:, None]
                stepped = tuple(torch.where(counts, new, old) for new, old in zip(stepped, current, strict=True))
                outputs.append(torch.where(counts, stepped[0], torch.zeros_like(stepped[0])))
            else:
                outputs.append(stepped[0])
            current = stepped
        return torch.stack(outputs, dim=1), tuple(state[None] for state in current)


@contextmanager
def _in_training(module: nn.Module) -> Iterator[None]:
    """Put a module into training mode, which cuDNN needs for a backward pass, with its dropout switched off."""
    kept = {name: getattr(module, name) for name in ("training", "dropout") if hasattr(module, name)}
    try:
        for name, value in {"training": True, "dropout": 0.0}.items():
            if name in kept:
                setattr(module, name, value)
        yield
    finally:
        for name, value in kept.items():
            setattr(module, name, value)


def device_notes(device: torch.device) -> tuple[str, ...]:
    """Return a note on the device unless it is the CPU, and on whether TF32 may round products on it."""
    if device.type != "cuda":
        return () if device.type == "cpu" else (f"computed on {device}",)
    allowed = torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32
    return (f"computed on {torch.cuda.get_device_name(device)}, TF32 {'allowed' if allowed else 'not allowed'}",)


def read_parameters(parameters: Iterable[tuple[str, nn.Parameter]], spec: RecurrentSpec, layer: int) -> DirectionWeights:
    """Return the weights of one direction from its parameters: views of those on the CPU, copies of others."""
    arrays = {name: parameter.detach().cpu().numpy() for name, parameter in parameters}
    return PYTORCH.read(arrays, spec, layer)


def write_parameters(
    parameters: Iterable[tuple[str, nn.Parameter]], spec: RecurrentSpec, layer: int, source: DirectionWeights
) -> int:
    """Write the weights of one direction into its parameters in place, one at a time; return their number."""
    written = 0
    for name, parameter in parameters:
        resident = parameter.device.type == "cpu"
        staging = parameter.detach() if resident else torch.empty_like(parameter, device="cpu", requires_grad=False)
        copying.fill({name: staging.numpy()}, PYTORCH, spec, layer, source)
        if resident:
            # Autograd does not notice NumPy's write, but an older graph that uses this parameter must not be differentiated.
            torch.autograd.graph.increment_version(parameter)
        else:
            with torch.no_grad():
                parameter.copy_(staging)
        written += 1
    return written


def _to_tensor(array: Array, device: torch.device) -> torch.Tensor:
    # torch refuses negative strides, such as those of x[:, ::-1]; np.ascontiguousarray keeps them on an axis of length one.
    return torch.from_numpy(array.copy()).to(device)


def _as_tuple(states: torch.Tensor | Tensors) -> Tensors:
    return states if isinstance(states, tuple) else (states,)
