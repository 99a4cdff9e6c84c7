"""torch's RNN, LSTM and GRU as Keras layers.

Inside a call, time is the first axis and the batch the second; states are a list with one entry per layer and direction.
"""

from __future__ import annotations

import warnings
from typing import Any

import keras
import numpy as np
from keras import ops

from frameworks.torch_in_keras.layers.arguments import check_call, refuse_time_first
from frameworks.torch_in_keras.layers.module import TorchModule
from frameworks.torch_in_keras.layers.recurrence import States, Tensor, mask_padding

Results = tuple[Tensor, Tensor | States]


class TorchRecurrent(TorchModule):
    """Stacked layers in one or two directions, with the arguments, weights and results of the torch module of that name.

    A call returns `(output, h_n)`, or `(output, (h_n, c_n))` of an LSTM, as torch does: the output is
    (time, batch, direction * hidden), or (batch, time, direction * hidden) with batch_first; states are
    (layer * direction, batch, hidden) either way. With `states_batch_first=True` they are (batch, layer * direction, hidden).
    In a functional Model this is always on, because `predict` joins batches along the first axis, and layers with
    batch_first=False raise an error. Dropout between layers is active like other Keras dropout: in `fit`, or with
    `training=True`.

    Weights are attributes with torch's names and shapes: `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, and
    `weight_hr_l0` of a projection; then those of `_l0_reverse`, `_l1` and so on.

    A model that contains such a layer is saved like any other. Another process must `import frameworks.emulation.keras`, which
    registers the classes with Keras, before it loads the model.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        *,
        nonlinearity: str = "tanh",
        **options: Any,
    ) -> None:
        """Make the layer from torch's arguments, and Keras's name, dtype (float32 or float64) and trainable.

        Raises:
            GatewiseError: for arguments that torch rejects, and for half precision.
        """
        arguments = {
            "input_size": input_size,
            "hidden_size": hidden_size,
            "num_layers": num_layers,
            "bias": bias,
            "batch_first": batch_first,
            "dropout": dropout,
            "bidirectional": bidirectional,
            "proj_size": proj_size,
            "nonlinearity": nonlinearity,
        }
        super().__init__(arguments, options)
        if dropout and num_layers == 1:
            warnings.warn(
                f"dropout={dropout} applies after every layer but the last, so it has no effect with num_layers=1",
                UserWarning,
                stacklevel=2,
            )
        self.prepare()

    def prepare(self) -> None:
        """Set the attributes that Keras reads."""
        self.seed_generator = keras.random.SeedGenerator() if self.dropout else None
        # XLA on TensorFlow cannot differentiate a loop without a bound on its steps, and keras.ops.scan sets none.
        self.supports_jit = keras.backend.backend() != "tensorflow"

    def __call__(
        self,
        inputs: Tensor,
        hx: Tensor | States | None = None,
        lengths: Any = None,
        training: bool | None = None,
        states_batch_first: bool = False,
        **context: Any,
    ) -> Results:
        """Check the arguments, see `call`, and run the layer; Keras would wrap an error raised inside `call` in its own."""
        if isinstance(lengths, (list, tuple)):
            lengths = np.asarray(lengths)
        if any(keras.backend.is_keras_tensor(tensor) for tensor in keras.tree.flatten((inputs, hx, lengths))):
            # Keras records this argument, so the model passes it in every later run, even after loading.
            states_batch_first = True
            refuse_time_first(self, inputs)
        check_call(self, inputs, hx, lengths, states_batch_first=states_batch_first)
        given = {"hx": hx, "lengths": lengths, "training": training, "states_batch_first": states_batch_first or None}
        context |= {name: value for name, value in given.items() if value is not None}
        results: Results = super().__call__(inputs, **context)
        return results

    def call(
        self,
        inputs: Tensor,
        hx: Tensor | States | None = None,
        lengths: Tensor | None = None,
        training: bool | None = None,
        states_batch_first: bool = False,
    ) -> Results:
        """Run all layers.

        Args:
            inputs: (time, batch, input); (batch, time, input) with batch_first; (time, input) without a batch. Other
                floating-point dtypes are cast to the layer's, as in every Keras layer.
            hx: h_0, or (h_0, c_0) of an LSTM, each (layer * direction, batch, hidden); zeros when None.
            lengths: (batch,) ints from 1 to time, the number of valid steps in each row, as in packing: later outputs are
                zero, the final states are those after the last valid step, and a backward direction starts there. In a
                compiled graph their values are not known, and only dtype and shape are checked.
            training: whether dropout between layers is active.
            states_batch_first: whether initial and final states are (batch, layer * direction, hidden).

        Returns:
            The output, and h_n, or (h_n, c_n) of an LSTM.
        """
        if len(inputs.shape) == 2:
            return self._call_unbatched(inputs, hx, training)
        x = ops.swapaxes(inputs, 0, 1) if self.batch_first else inputs
        axis = 1 if states_batch_first else 0
        states = self._initial_states(hx, ops.shape(x)[1], axis)
        lengths = None if lengths is None else ops.cast(lengths, "int32")
        x = mask_padding(x, lengths)  # packing never reads the padding, so a NaN in it must not reach a gradient
        finals: list[States] = []
        for layer in range(self.num_layers):
            if layer and training and self.dropout:
                x = keras.random.dropout(x, self.dropout, seed=self.seed_generator)
            x, last = self._run_layer(layer, x, states, lengths)
            finals += last
        stacked = tuple(ops.stack(rows, axis=axis) for rows in zip(*finals, strict=True))
        return ops.swapaxes(x, 0, 1) if self.batch_first else x, stacked if self.spec.has_cell_state else stacked[0]

    def _run_layer(self, layer: int, x: Tensor, states: list[States], lengths: Tensor | None) -> tuple[Tensor, list[States]]:
        halves, finals = [], []
        for direction in range(self.spec.num_directions):
            start = states[layer * self.spec.num_directions + direction]
            backward = self.go_backwards if direction == 0 else True
            output, last = self.direction(layer, direction).run(x, start, lengths, backward=backward)
            halves.append(output)
            finals.append(last)
        return ops.concatenate(halves, axis=-1), finals

    def _initial_states(self, hx: Tensor | States | None, batch: Any, axis: int) -> list[States]:
        """Return the states of each layer and direction, each (batch, hidden)."""
        rows = self.num_layers * self.spec.num_directions
        if hx is None:
            zeros = tuple(ops.zeros((batch, size), dtype=self.compute_dtype) for size in self.state_sizes.values())
            return [zeros] * rows
        given = hx if self.spec.has_cell_state else (hx,)
        return list(zip(*(ops.unstack(state, rows, axis=axis) for state in given), strict=True))

    def _call_unbatched(self, inputs: Tensor, hx: Tensor | States | None, training: bool | None) -> Results:
        batched = None if hx is None else keras.tree.map_structure(lambda state: ops.expand_dims(state, 1), hx)
        batch_axis = 0 if self.batch_first else 1
        output, states = self.call(ops.expand_dims(inputs, batch_axis), batched, training=training)
        return ops.squeeze(output, batch_axis), keras.tree.map_structure(lambda state: ops.squeeze(state, 1), states)


@keras.saving.register_keras_serializable(package="gatewise")
class TorchRNN(TorchRecurrent):
    """`torch.nn.RNN` as a Keras layer, see `TorchRecurrent`.

    Example:
        >>> import numpy as np
        >>> from frameworks.emulation.keras import TorchRNN
        >>> output, h_n = TorchRNN(3, 4, nonlinearity="relu", batch_first=True)(np.zeros((2, 5, 3), "float32"))
        >>> tuple(output.shape), tuple(h_n.shape)
        ((2, 5, 4), (1, 2, 4))
    """

    cell = "rnn"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        **options: Any,
    ) -> None:
        """Make the layer from torch's arguments in torch's order; `nonlinearity`, "tanh" or "relu", is the fourth."""
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            nonlinearity=nonlinearity,
            **options,
        )


@keras.saving.register_keras_serializable(package="gatewise")
class TorchLSTM(TorchRecurrent):
    """`torch.nn.LSTM` as a Keras layer, with proj_size, see `TorchRecurrent`.

    Example:
        >>> import numpy as np
        >>> from frameworks.emulation.keras import TorchLSTM
        >>> output, (h_n, c_n) = TorchLSTM(3, 4, num_layers=2, proj_size=2)(np.zeros((5, 1, 3), "float32"))
        >>> tuple(output.shape), tuple(h_n.shape), tuple(c_n.shape)
        ((5, 1, 2), (2, 1, 2), (2, 1, 4))
    """

    cell = "lstm"


@keras.saving.register_keras_serializable(package="gatewise")
class TorchGRU(TorchRecurrent):
    """`torch.nn.GRU` as a Keras layer, see `TorchRecurrent`.

    Example:
        >>> import numpy as np
        >>> from frameworks.emulation.keras import TorchGRU
        >>> output, h_n = TorchGRU(3, 4, bidirectional=True)(np.zeros((5, 1, 3), "float32"))
        >>> tuple(output.shape), tuple(h_n.shape)
        ((5, 1, 8), (2, 1, 4))
    """

    cell = "gru"
