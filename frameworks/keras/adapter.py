"""The adapter for Keras's SimpleRNN, LSTM and GRU, and for the layers and models made of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy.typing as npt

from frameworks import copying
from frameworks.adapter import Mask, States, check_call, require_call_over_time
from frameworks.errors import InvalidValueError
from frameworks.gradients import RecurrentGradients, arrange, check_cotangents
from frameworks.keras.calling import flip_time, inner_layers, operations, to_tensor, untouched
from frameworks.keras.gradients import pull_back
from frameworks.keras.model_masks import mask_in_model
from frameworks.keras.spec import read_spec, require_whole
from frameworks.keras.stacks import Structure
from frameworks.keras.structure import take_apart
from frameworks.keras.tensors import flatten, map_nested, overwritten, plain_text, to_numpy, view
from frameworks.layouts import KERAS
from frameworks.output import RecurrentOutput
from frameworks.rows import FrameworkName
from frameworks.shown_layers import ShownLayer
from frameworks.spec import DTypeName
from frameworks.weights import DirectionWeights, RecurrentWeights

Array = npt.NDArray[Any]


def adapt(native: Any) -> KerasAdapter:
    """Adapt a recurrent Keras layer."""
    return KerasAdapter(native)


class KerasAdapter(ShownLayer):
    """The adapter of a recurrent Keras layer, see `frameworks.adapter.Adapter`."""

    framework: FrameworkName = "keras"
    time_major = False

    def __init__(self, native: Any) -> None:
        """Read the layer's structure and its spec.

        Raises:
            GatewiseError: for a layer that `frameworks.adapt` refuses.
        """
        structure = take_apart(native)
        if structure.options.nesting == "cells" and len(structure.cells) > 1 and len(structure.cells[0]) == 2:
            raise InvalidValueError.because(
                "Bidirectional over stacked cells",
                must="run one cell per direction",
                but=f"runs {len(structure.cells)}, each direction through all of them on its own",
                remedy="Use gatewise.emulate, which runs it as Keras does, or copy the weights of layer.forward_layer and "
                "layer.backward_layer into one torch module each with copy_weights, and call the two as "
                "gatewise.returns_map(layer).call says.",
            )
        self.spec = read_spec(structure)
        require_whole(native, structure, self.spec.dtype)
        self.native = native
        self.options = structure.options
        self.dropout = structure.dropout
        self.is_cell = structure.options.nesting == "cell"
        self._structure: Structure = structure

    @property
    def precision(self) -> DTypeName:
        """The layer's dtype on TensorFlow; float32 on other backends, where Keras always multiplies matrices in float32."""
        return self.spec.dtype if self._backend == "tensorflow" else "float32"

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on arithmetic coarser than the dtype, on a defect of Keras in masked calls, and on outer time steps."""
        coarser = f"Keras on the {self._backend} backend multiplies {self.spec.dtype} matrices in float32"
        unrolled = (
            "under a mask, Keras's own call of an unrolled layer that reads backwards applies an unreversed mask and zeroes "
            "the wrong time steps: a defect of Keras, which unroll=False avoids"
        )
        flags = ("unroll", "go_backwards", "return_sequences", "zero_output_for_mask")
        defect = any(all(getattr(layer, flag, False) for flag in flags) for layer in inner_layers(self._structure.layers))
        repeated = "TimeDistributed runs the layer once for each outer time step: here the layer inside it is compared"
        applicable = {
            coarser: self.precision != self.spec.dtype,
            unrolled: defect and self._backend == "tensorflow",
            repeated: self._structure.repeated_by is not None,
        }
        return tuple(note for note, applies in applicable.items() if applies)

    @property
    def mask(self) -> str:
        """The layer that made the mask that the layer gets in its model; "" if it gets none, or is in no functional model."""
        return next((made_by for layer in self._structure.layers if (made_by := mask_in_model(layer))), "")

    @property
    def zeroes_masked_steps(self) -> bool:
        """True for two directions; a single one repeats its last valid output at masked steps unless its flag is set."""
        return self.spec.bidirectional or self.options.zero_output_for_mask

    @property
    def cells(self) -> Sequence[Sequence[Any]]:
        """The cells, `cells[layer][direction]`."""
        return self._structure.cells

    @property
    def batch_size(self) -> int | None:
        """The batch size of a stateful layer's stored states, or None if any batch size works."""
        states = [state for layer in inner_layers(self._structure.layers) for state in flatten(layer.states)]
        return int(states[0].shape[0]) if self.options.stateful and states else None

    def get_weights(self) -> RecurrentWeights:
        """Return the weights in canonical form, as read-only copies."""
        return copying.get_weights(self)

    def set_weights(self, weights: RecurrentWeights) -> None:
        """Set all weights, after checking all of them."""
        copying.set_weights(self, weights)

    def read(self, layer: int, direction: int) -> DirectionWeights:
        """Return the weights of one direction: views of the variables if the backend shares memory, otherwise copies."""
        cell = self._structure.cells[layer][direction]
        return KERAS.read({name: view(getattr(cell, name)) for name in KERAS.names(self.spec)}, self.spec, layer)

    def write(self, layer: int, direction: int, source: DirectionWeights) -> int:
        """Write the weights of one direction, one variable at a time; return the number of variables."""
        cell, names = self._structure.cells[layer][direction], KERAS.names(self.spec)
        for name in names:
            with overwritten(getattr(cell, name)) as array:
                copying.fill({name: array}, KERAS, self.spec, layer, source)
        return len(names)

    def forward(self, inputs: Array, initial_state: Array | States | None = None, mask: Mask | None = None) -> RecurrentOutput:
        """Run the cells in inference, whatever the layer's own flags, see `Adapter.forward`.

        At a masked step, a unidirectional layer repeats its last output and a bidirectional one outputs zeros, as in Keras.
        """
        states, mask = check_call(self.spec, inputs, initial_state, mask)
        with self._untouched():
            results = self._run(mask, *map(self._to_tensor, (inputs, *states)))
            return RecurrentOutput(*map(to_numpy, results))

    def gradients(
        self, inputs: Array, initial_state: Array | States | None, mask: Mask | None, cotangents: RecurrentOutput
    ) -> RecurrentGradients:
        """Differentiate `forward` with TensorFlow's tape, torch's autograd or `jax.vjp`, see `Adapter.gradients`."""
        states, mask = check_call(self.spec, inputs, initial_state, mask)
        weights = check_cotangents(self.spec, inputs, cotangents)
        cells = [cell for directions in self._structure.cells for cell in directions]
        with self._untouched():
            pulled = pull_back(
                partial(self._run, mask),
                [self._to_tensor(array) for array in (inputs, *states)],
                [getattr(cell, name) for cell in cells for name in KERAS.names(self.spec)],
                [self._to_tensor(array) for array in weights],
                backend=self._backend,
            )
            return arrange([to_numpy(each) for each in pulled], KERAS, self.spec)

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
        require_call_over_time(self)
        states, mask = check_call(self.spec, inputs, initial_state, mask)
        if self.batch_size not in (None, len(inputs)):
            raise InvalidValueError.because(
                "inputs of a stateful layer",
                must=f"have its batch size, {self.batch_size}",
                but=f"have {len(inputs)}",
                remedy="Pass as many rows as it was built for.",
            )
        from_zeros = initial_state is None and not self.options.stateful
        try:
            with self._untouched():
                returned = self._call_layers(inputs, None if from_zeros else states, mask)
        except Exception as error:  # Keras raises errors of many kinds
            names = ("return_sequences", "return_state", "go_backwards", "stateful", "zero_output_for_mask")
            flags = ", ".join(f"{name}=True" for name in names if getattr(self.options, name))
            raise InvalidValueError.because(
                f"{type(self.native).__name__}'s own call with {flags or 'no flag on'}",
                must="run",
                but=f"raises {type(error).__name__}: {plain_text(error)[:300]}",
                remedy="Change the flags with which Keras cannot run it, or call it yourself to see the whole error.",
            ) from error
        return map_nested(to_numpy, returned)

    def _run(self, mask: Mask | None, x: Any, *states: Any) -> list[Any]:
        """Run the cells over tensors of the backend, and return the output in input time order and the final states.

        Args:
            mask: (batch, time) bool, NumPy, or None.
            x: (batch, time, input).
            states: each (layer * direction, batch, hidden).
        """
        library, turned = self._structure.library, self.options.go_backwards
        ops = operations(library)
        x = flip_time(x, library) if turned else x
        steps = None if mask is None else self._to_tensor(mask[:, ::-1] if turned else mask)
        finals = []
        for layer, directions in enumerate(self._structure.cells):
            halves = []
            for direction, cell in enumerate(directions):
                start = [state[layer * len(directions) + direction] for state in states]
                runner = self._runner(cell, backward=direction == 1)
                output, *final = runner(x, initial_state=start, mask=steps, training=False)
                halves.append(flip_time(output, library) if direction else output)
                finals.append(final)
            x = ops.concatenate(halves, axis=-1)
        return [flip_time(x, library) if turned else x, *(ops.stack(rows) for rows in zip(*finals, strict=True))]

    def _call_layers(self, inputs: Array, states: States | None, mask: Mask | None) -> Any:
        own = not isinstance(self.native, (list, tuple)) and self._structure.repeated_by is None
        if own and states is None and mask is None:
            return self.native(inputs, training=False)
        result: Any = inputs
        returned: list[Any] = []
        steps = None if mask is None else self._to_tensor(mask)
        for index, layer in enumerate(self._structure.layers):
            given = {} if states is None else self._keras_states(index, states)
            result = layer(result if index == 0 else _first(result), mask=steps, training=False, **given)
            returned += _rest(result)
        return (_first(result), *returned) if self.options.nesting == "model" else result

    def _keras_states(self, index: int, states: States) -> dict[str, Any]:
        directions = self.spec.num_directions
        layers = range(len(self._structure.cells)) if self.options.nesting == "cells" else [index]
        nested = [
            [self._to_tensor(state[layer * directions + direction]) for state in states]
            for direction in range(directions)
            for layer in layers
        ]
        if self.options.nesting == "cells":
            return {"initial_state": [one[0] for one in nested] if self.options.bare_states else nested}
        return {"initial_state": [state for one in nested for state in one]}

    def _to_tensor(self, array: Array) -> Any:
        return to_tensor(array, self._structure.library)

    @property
    def _backend(self) -> str:
        library = self._structure.library
        return "tensorflow" if library.__name__ == "tf_keras" else str(library.backend.backend())

    def _runner(self, cell: Any, *, backward: bool) -> Any:
        return self._structure.library.layers.RNN(
            cell,
            name="gatewise_runner",  # a name generated by Keras would advance the counters behind the user's layer names
            return_sequences=True,
            return_state=True,
            go_backwards=backward,
            zero_output_for_mask=self.zeroes_masked_steps,
            dtype=self.spec.dtype,
        )

    def _untouched(self) -> AbstractContextManager[None]:
        return untouched(self._structure.layers, [cell for cells in self._structure.cells for cell in cells])


def _first(result: Any) -> Any:
    return result[0] if isinstance(result, (tuple, list)) else result


def _rest(result: Any) -> list[Any]:
    return list(result[1:]) if isinstance(result, (tuple, list)) else []
