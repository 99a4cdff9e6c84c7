"""The adapter of torch's modules written in Keras."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

import keras
import numpy.typing as npt
from keras import ops

from frameworks import copying
from frameworks.adapter import Mask, States, check_call, lengths_of
from frameworks.errors import InvalidValueError, NoCounterpartError
from frameworks.gradients import RecurrentGradients, arrange, check_cotangents
from frameworks.keras.calling import to_tensor
from frameworks.keras.gradients import pull_back
from frameworks.keras.tensors import overwritten, to_numpy, view
from frameworks.layouts import PYTORCH
from frameworks.options import BACKWARDS
from frameworks.output import RecurrentOutput
from frameworks.rows import FrameworkName
from frameworks.shown_layers import ShownLayer
from frameworks.spec import DTypeName
from frameworks.torch_in_keras.layers.cells import TorchCell
from frameworks.torch_in_keras.layers.module import TorchModule
from frameworks.weights import DirectionWeights, RecurrentWeights

Array = npt.NDArray[Any]


def adapt(native: Any) -> EmulatedAdapter:
    """Adapt one of torch's modules or cells written in Keras."""
    return EmulatedAdapter(native)


class EmulatedAdapter(ShownLayer):
    """A torch module written in Keras, behind the common interface, see `frameworks.adapter.Adapter`."""

    framework: FrameworkName = "keras"
    batch_size = None
    mask = ""

    def __init__(self, native: TorchModule) -> None:
        """Read the layer's spec.

        Raises:
            GatewiseError: for a layer that is not built, or that projects its hidden state.
        """
        name = type(native).__name__
        if native.proj_size:
            raise NoCounterpartError.because(
                f"proj_size of {name} {native.name!r}",
                must="be 0",
                but=f"is {native.proj_size}",
                remedy="The common interface has no projection: call the layer itself, and compare with torch's results.",
            )
        if not native.built:
            raise InvalidValueError.because(
                f"{name} {native.name!r}",
                must="be built",
                but="has no weights yet",
                remedy="Call it once on data, or call layer.build().",
            )
        if len(set(native.specs)) > 1:
            raise NoCounterpartError.because(
                f"the directions of {name} {native.name!r}",
                must="compute alike",
                but=f"have {' and '.join(f'{spec.activation}, {spec.recurrent_activation}' for spec in native.specs)}",
                remedy="No single spec describes such directions: call the layer itself.",
            )
        self.native: Any = native
        self.spec = native.spec
        self.options = BACKWARDS if native.go_backwards else None
        self.is_cell = isinstance(native, TorchCell)
        self.dropout = float(native.dropout) if native.num_layers > 1 else 0.0

    @property
    def time_major(self) -> bool:
        """Whether the call has the time axis first; False for a cell, which has none."""
        return not self.is_cell and not self.native.batch_first

    @property
    def zeroes_masked_steps(self) -> bool:
        """True, as in torch after packing."""
        return True

    @property
    def precision(self) -> DTypeName:
        """The layer's dtype; float32 on JAX, where Keras computes tanh in float32 for every dtype."""
        return "float32" if keras.backend.backend() == "jax" else self.spec.dtype

    @property
    def notes(self) -> tuple[str, ...]:
        """A note if the arithmetic is coarser than the dtype."""
        return () if self.precision == self.spec.dtype else ("Keras on the jax backend computes tanh of float64 in float32",)

    def get_weights(self) -> RecurrentWeights:
        """Return the weights in canonical form, as read-only copies."""
        return copying.get_weights(self)

    def set_weights(self, weights: RecurrentWeights) -> None:
        """Set all weights, after checking all of them."""
        copying.set_weights(self, weights)

    def read(self, layer: int, direction: int) -> DirectionWeights:
        """Return the weights of one direction: views of the variables if the backend shares memory, otherwise copies."""
        arrays = {name: view(variable) for name, variable in self._variables(layer, direction)}
        return PYTORCH.read(arrays, self.spec, layer)

    def write(self, layer: int, direction: int, source: DirectionWeights) -> int:
        """Write one direction, one variable at a time; return the number of variables."""
        variables = list(self._variables(layer, direction))
        for name, variable in variables:
            with overwritten(variable) as array:
                copying.fill({name: array}, PYTORCH, self.spec, layer, source)
        return len(variables)

    def forward(self, inputs: Array, initial_state: Array | States | None = None, mask: Mask | None = None) -> RecurrentOutput:
        """Run the layer in inference, see `Adapter.forward`; a mask must be right padding, with a valid step per row."""
        states, mask = check_call(self.spec, inputs, initial_state, mask)
        results = self._run(None if mask is None else lengths_of(mask), *map(_to_tensor, (inputs, *states)))
        return RecurrentOutput(*map(to_numpy, results))

    def gradients(
        self, inputs: Array, initial_state: Array | States | None, mask: Mask | None, cotangents: RecurrentOutput
    ) -> RecurrentGradients:
        """Differentiate `forward`, see `Adapter.gradients`."""
        states, mask = check_call(self.spec, inputs, initial_state, mask)
        weights = check_cotangents(self.spec, inputs, cotangents)
        places = product(range(self.spec.num_layers), range(self.spec.num_directions))
        gradients = pull_back(
            partial(self._run, None if mask is None else lengths_of(mask)),
            [_to_tensor(array) for array in (inputs, *states)],
            [variable for place in places for _, variable in self._variables(*place)],
            [_to_tensor(array) for array in weights],
            backend=keras.backend.backend(),
        )
        return arrange([to_numpy(gradient) for gradient in gradients], PYTORCH, self.spec)

    def _variables(self, layer: int, direction: int) -> Iterator[tuple[str, Any]]:
        for name in PYTORCH.names(self.spec):
            yield name, getattr(self.native, name + self.native.suffix(layer, direction))

    def _run(self, lengths: Array | None, x: Any, *states: Any) -> tuple[Any, ...]:
        """Return the output, (batch, time, direction * hidden), and the final states, as tensors of the backend."""
        run = self._step_through if self.is_cell else self._call
        output, finals = run(x, states, lengths)
        return output, *finals

    def _call(self, x: Any, states: tuple[Any, ...], lengths: Array | None) -> tuple[Any, tuple[Any, ...]]:
        batch_first = self.native.batch_first
        sequence = x if batch_first else ops.swapaxes(x, 0, 1)
        output, finals = self.native(sequence, self._as_hx(states), lengths, training=False)
        return output if batch_first else ops.swapaxes(output, 0, 1), self._as_states(finals)

    def _step_through(self, x: Any, states: tuple[Any, ...], lengths: Array | None) -> tuple[Any, tuple[Any, ...]]:
        current, outputs = tuple(state[0] for state in states), []
        for time in range(x.shape[1]):
            stepped = self._as_states(self.native(x[:, time], self._as_hx(current)))
            if lengths is not None:
                counts = time < lengths[:, None]
                stepped = tuple(ops.where(counts, new, old) for new, old in zip(stepped, current, strict=True))
                outputs.append(ops.where(counts, stepped[0], ops.zeros_like(stepped[0])))
            else:
                outputs.append(stepped[0])
            current = stepped
        return ops.stack(outputs, axis=1), tuple(state[None] for state in current)

    def _as_hx(self, states: tuple[Any, ...]) -> Any:
        return states if self.spec.has_cell_state else states[0]

    def _as_states(self, returned: Any) -> tuple[Any, ...]:
        return tuple(returned) if self.spec.has_cell_state else (returned,)


def _to_tensor(array: Array) -> Any:
    return to_tensor(array, keras)
