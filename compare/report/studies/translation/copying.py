"""The parameters of a translator in one format for both frameworks, and copies from one framework to the other.

The parts of both models have the same names, so one list of paths serves both. `frameworks` reads and writes recurrent layers,
in the canonical format with one axis per meaning. Other layers use Keras's format: a kernel is (input, output).
"""

from __future__ import annotations

from contextlib import suppress
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.training.parameters import STORED, kind_of, parameter_reader, stored_views
from compare.training.states import require_same
from frameworks import copy_weights
from frameworks.keras.tensors import overwritten

Array = npt.NDArray[np.floating]

PATHS = (
    *("encoder.embedding", "encoder.gru", "encoder.lstm"),
    *("decoder.embedding", "decoder.attention.W1", "decoder.attention.W2", "decoder.attention.V"),
    *("decoder.gru", "decoder.lstm", "decoder.fc"),
)
"""The paths of all possible parts of a translator."""


def parts(model: Any) -> dict[str, Any]:
    """Return the layers that hold parameters, by their paths, in the order of PATHS."""
    layers = {}
    for path in PATHS:
        with suppress(AttributeError):  # a GRU model has no LSTM
            layers[path] = attrgetter(path)(model)
    return layers


def parameters(model: Any) -> dict[str, Array]:
    """Return copies of all parameters, by path and name; the two biases of an LSTM in PyTorch are summed."""
    return parameter_reader(parts(model))()


def copy_model(source: Any, target: Any) -> None:
    """Copy all parameters of one translator into another, of either framework.

    Args:
        source: a translator.
        target: another; all of its parameters are replaced. The second bias of an LSTM in PyTorch becomes 0.

    Raises:
        GatewiseError: if the two do not have the same parts, sizes and dtype; nothing is written then.
    """
    remedy = "Build both translators with the same cell, sizes and dtype, and call a Keras model once before copying."
    require_same(parameters(target), parameters(source), "the target", remedy)
    givers = parts(source)
    for path, taker in parts(target).items():
        giver = givers[path]
        if _is_recurrent(path):
            copy_weights(giver, taker)
            continue
        given = dict(stored_views(giver))
        for name, (attribute, transposed) in STORED[kind_of(taker)].items():
            with overwritten(getattr(taker, attribute)) as array:
                array[...] = given[name].T if transposed else given[name]


def _is_recurrent(path: str) -> bool:
    return path.endswith((".gru", ".lstm"))
