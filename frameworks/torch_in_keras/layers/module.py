"""The base of layers and cells: torch's arguments, and weights with torch's names, shapes and initial values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import keras
from keras import ops

from frameworks.cells import CellName
from frameworks.keras.spec import require_stored_dtype
from frameworks.layouts import PYTORCH
from frameworks.spec import RecurrentSpec
from frameworks.torch_in_keras.layers.arguments import check_options
from frameworks.torch_in_keras.layers.recurrence import Direction


class TorchModule(keras.layers.Layer):  # type: ignore[misc]
    """A recurrent torch module as a Keras layer.

    Attributes:
        arguments: the names of the constructor arguments; each is also an attribute.
        spec: the recurrence and its sizes, without the projection.
        go_backwards: whether the only direction reads the sequence from its end.
    """

    cell: CellName
    input_size: int
    hidden_size: int
    bias: bool
    num_layers: int = 1
    batch_first: bool = False
    dropout: float = 0.0
    bidirectional: bool = False
    proj_size: int = 0
    nonlinearity: str = "tanh"
    go_backwards: bool = False

    def __init__(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        """Make the layer from the arguments of torch's constructor, and Keras's name, dtype and trainable.

        Raises:
            GatewiseError: for arguments that torch rejects, and for half precision.
        """
        super().__init__(**options)
        for name, value in arguments.items():
            setattr(self, name, value)
        self.arguments = tuple(arguments)
        spec = RecurrentSpec(
            cell=self.cell,
            input_size=self.input_size,
            hidden_size=self.hidden_size,
            num_layers=self.num_layers,
            bidirectional=self.bidirectional,
            bias=self.bias,
            dtype=self.compute_dtype,
        )
        check_options(self)
        self.spec = replace(spec, activation=self.nonlinearity)

    @property
    def specs(self) -> tuple[RecurrentSpec, ...]:
        """The spec of each direction."""
        return (self.spec,) * self.spec.num_directions

    @property
    def state_sizes(self) -> dict[str, int]:
        """The size of each state by name: h, and c of an LSTM."""
        sizes = {"h": self.proj_size or self.hidden_size, "c": self.hidden_size}
        return {name: sizes[name] for name in self.spec.state_names}

    @property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of all weights by name, which is the name in torch."""
        return {
            name + self.suffix(layer, direction): shape
            for layer in range(self.num_layers)
            for direction in range(self.spec.num_directions)
            for name, shape in PYTORCH.shapes(self.spec, layer, self.proj_size).items()
        }

    def suffix(self, layer: int, direction: int) -> str:
        """Return the suffix of the weights' names."""
        return f"_l{layer}{'_reverse' if direction else ''}"

    def build(self, input_shape: Any = None) -> None:
        """Make all weights, drawn uniformly between -1 / sqrt(hidden_size) and 1 / sqrt(hidden_size).

        Args:
            input_shape: not used, because the sizes are constructor arguments.
        """
        bound = 1 / math.sqrt(self.hidden_size)
        for name, shape in self.weight_shapes.items():
            start = keras.initializers.RandomUniform(-bound, bound)
            setattr(self, name, self.add_weight(name=name, shape=shape, initializer=start))
        require_stored_dtype(self, self.weights[0])

    def direction(self, layer: int, direction: int) -> Direction:
        """Return the recurrence of one direction with its weights.

        The weights are read and transposed here, outside the loop, because TensorFlow keeps what a loop computes in every step.
        """
        suffix = self.suffix(layer, direction)
        shapes = PYTORCH.shapes(self.spec, layer, self.proj_size)
        weights = {
            name: ops.transpose(getattr(self, name + suffix), tuple(reversed(range(len(shape)))))
            for name, shape in shapes.items()
        }
        spec = self.specs[direction]
        if not spec.reset_after:
            cut = [2 * spec.hidden_size]
            weights["weight_hh"], weights["weight_hh_candidate"] = ops.split(weights["weight_hh"], cut, axis=-1)
        return Direction(spec, weights)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), **{name: getattr(self, name) for name in self.arguments}}
