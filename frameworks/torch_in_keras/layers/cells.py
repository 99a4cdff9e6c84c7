"""torch's RNNCell, LSTMCell and GRUCell as Keras layers."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from frameworks.torch_in_keras.layers.arguments import check_array, check_states
from frameworks.torch_in_keras.layers.module import TorchModule
from frameworks.torch_in_keras.layers.recurrence import States, Tensor


class TorchCell(TorchModule):
    """One time step, with the arguments, weights and call of torch's cell; it is not a cell for `keras.layers.RNN`.

    A call returns h, or (h, c) of an LSTM cell, each (batch, hidden). Models that contain one are saved and loaded as with
    `TorchRecurrent`.
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", **options: Any
    ) -> None:
        """Make the cell from torch's arguments, and Keras's name, dtype (float32 or float64) and trainable.

        Raises:
            GatewiseError: for arguments that torch rejects, and for half precision.
        """
        arguments = {"input_size": input_size, "hidden_size": hidden_size, "bias": bias, "nonlinearity": nonlinearity}
        super().__init__(arguments, options)

    def suffix(self, layer: int, direction: int) -> str:
        """Return an empty string: there is one layer and one direction."""
        return ""

    def __call__(self, inputs: Tensor, hx: Tensor | States | None = None, **context: Any) -> Tensor | States:
        """Check the arguments, see `call`, and run the cell; Keras models also pass context arguments such as `training`."""
        name = type(self).__name__
        check_array(f"inputs of {name}", inputs, {"batch": None, "input": self.input_size})
        batch = inputs.shape[0]
        check_states(name, hx, {state: {"batch": batch, "hidden": size} for state, size in self.state_sizes.items()})
        return super().__call__(inputs, **({} if hx is None else {"hx": hx}), **context)

    def call(self, inputs: Tensor, hx: Tensor | States | None = None) -> Tensor | States:
        """Compute one time step.

        Args:
            inputs: (batch, input).
            hx: h_0, or (h_0, c_0) of an LSTM cell, each (batch, hidden); zeros when None.

        Returns:
            The next states, in the same form.
        """
        if hx is None:
            zeros = ops.zeros((ops.shape(inputs)[0], self.hidden_size), dtype=self.compute_dtype)
            states = (zeros,) * len(self.state_sizes)
        else:
            states = tuple(hx) if self.spec.has_cell_state else (hx,)
        direction = self.direction(0, 0)
        stepped = direction.step(states, direction.project(inputs))
        return stepped if self.spec.has_cell_state else stepped[0]


@keras.saving.register_keras_serializable(package="gatewise")
class TorchRNNCell(TorchCell):
    """`torch.nn.RNNCell` as a Keras layer, see `TorchCell`.

    Example:
        >>> import numpy as np
        >>> from frameworks.emulation.keras import TorchRNNCell
        >>> h = TorchRNNCell(3, 4)(np.zeros((2, 3), "float32"))
        >>> tuple(h.shape)
        (2, 4)
    """

    cell = "rnn"


@keras.saving.register_keras_serializable(package="gatewise")
class TorchLSTMCell(TorchCell):
    """`torch.nn.LSTMCell` as a Keras layer, see `TorchCell`.

    Example:
        >>> import numpy as np
        >>> from frameworks.emulation.keras import TorchLSTMCell
        >>> h, c = TorchLSTMCell(3, 4)(np.zeros((2, 3), "float32"))
        >>> tuple(h.shape), tuple(c.shape)
        ((2, 4), (2, 4))
    """

    cell = "lstm"


@keras.saving.register_keras_serializable(package="gatewise")
class TorchGRUCell(TorchCell):
    """`torch.nn.GRUCell` as a Keras layer, see `TorchCell`.

    Example:
        >>> import numpy as np
        >>> from frameworks.emulation.keras import TorchGRUCell
        >>> h = TorchGRUCell(3, 4)(np.zeros((2, 3), "float32"))
        >>> tuple(h.shape)
        (2, 4)
    """

    cell = "gru"
