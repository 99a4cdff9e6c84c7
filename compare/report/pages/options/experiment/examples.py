"""A value to try for every fate of every constructor argument, as data for the experiment on options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

INPUT, HIDDEN, BATCH, TIME = 5, 4, 3, 2


@dataclass(frozen=True)
class Example:
    """A value of an argument.

    Args:
        arguments: arguments of the constructor; empty if the value is the default.
        beside: other arguments, without which the value would change nothing.
        masked: whether the layer is called with a mask.
        calls: number of calls of the layer; the last call is compared.
        drawn: whether the layer keeps its initial weights, because the argument changes them.
    """

    arguments: Mapping[str, Any] = field(default_factory=dict)
    beside: Mapping[str, Any] = field(default_factory=dict)
    masked: bool = False
    calls: int = 1
    drawn: bool = False


_DEFAULT = Example()


_PENALTIES = tuple(f"{part}_regularizer" for part in ("kernel", "recurrent", "bias", "activity"))
_CONSTRAINTS = tuple(f"{part}_constraint" for part in ("kernel", "recurrent", "bias"))
_PLAIN: Mapping[str, Any] = {
    "units": 3,
    "use_bias": False,
    **dict.fromkeys(_PENALTIES, "l2"),
    **dict.fromkeys(_CONSTRAINTS, "non_neg"),
    "dropout": 0.5,
    "recurrent_dropout": 0.5,
    "seed": 7,
    "return_sequences": True,
    "return_state": True,
    "go_backwards": True,
    "unroll": True,
    "use_cudnn": False,
    "implementation": 1,
    "weights": [np.full(shape, 0.5) for shape in ((INPUT, 4 * HIDDEN), (HIDDEN, 4 * HIDDEN), (4 * HIDDEN,)) * 2],
    "trainable": False,
    "input_shape": (TIME, INPUT),
    "input_dim": INPUT,
    "autocast": False,
    "name": "renamed",
}
"""Values of the Keras arguments that have one fate and need no other argument."""


def keras_examples() -> dict[str, tuple[Example, ...]]:
    """Return examples of the Keras arguments: one per fate in `frameworks.counterparts.OPTIONS`, in the same order."""
    from keras import layers

    ones = {"kernel_initializer": "ones"}
    custom = _custom_cell()
    alike, unlike = ([layers.LSTMCell(HIDDEN), layers.LSTMCell(units)] for units in (HIDDEN, 3))
    return {
        **{name: (Example({name: value}),) for name, value in _PLAIN.items()},
        "activation": (_DEFAULT, Example({"activation": "softsign"})),
        "recurrent_activation": (_DEFAULT, Example({"recurrent_activation": "hard_sigmoid"})),
        "kernel_initializer": (Example(ones, drawn=True),),
        "recurrent_initializer": (Example({"recurrent_initializer": "ones"}, ones, drawn=True),),
        "bias_initializer": (Example({"bias_initializer": "ones"}, ones, drawn=True),),
        "unit_forget_bias": (Example({"unit_forget_bias": False}, {**ones, "recurrent_initializer": "ones"}, drawn=True),),
        "stateful": (Example({"stateful": True}, calls=2),),
        "zero_output_for_mask": (Example({"zero_output_for_mask": True}, {"return_sequences": True}, masked=True),),
        "reset_after": (_DEFAULT, Example({"reset_after": False})),
        "cell": (_DEFAULT, *(Example({"cell": cell}) for cell in (alike, unlike, custom))),
        "cells": tuple(Example({"cells": cells}) for cells in (alike, unlike, [custom])),
        "layer": (Example({"layer": layers.LSTM(3)}),),
        "merge_mode": (_DEFAULT, Example({"merge_mode": "mul"})),
        "backward_layer": tuple(
            Example({"backward_layer": layer})
            for layer in (layers.LSTM(HIDDEN, go_backwards=True), layers.GRU(3, go_backwards=True))
        ),
        "dtype": (Example({"dtype": "float64"}), Example({"dtype": "mixed_float16"})),
    }


def pytorch_examples() -> dict[str, tuple[Example, ...]]:
    """Return examples of torch's arguments: one per fate, in the same order."""
    import torch

    plain = {
        "input_size": 3,
        "hidden_size": 6,
        "num_layers": 2,
        "nonlinearity": "relu",
        "bias": False,
        "batch_first": True,
        "bidirectional": True,
        "proj_size": 2,
        "device": "cpu",
    }
    return {
        **{name: (Example({name: value}),) for name, value in plain.items()},
        "dropout": (Example({"dropout": 0.5}, {"num_layers": 2}),),
        "dtype": (Example({"dtype": torch.float64}), Example({"dtype": torch.float16})),
    }


def _custom_cell() -> Any:
    from keras import layers

    class Custom(layers.LSTMCell):  # type: ignore[misc]
        def call(self, inputs: Any, states: Any) -> Any:
            output, states = super().call(inputs, states)
            return -output, states

    return Custom(HIDDEN)
