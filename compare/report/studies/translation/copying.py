"""The parameters of a translator in one form whichever framework holds them, and the copy from one to the other.

Both models call their parts alike, so one list of paths names them in both. Recurrent layers are read and written by
`frameworks`, in its canonical form, one axis a meaning; the others as Keras has them: a kernel is (input, output).
"""

from __future__ import annotations

from contextlib import suppress
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.training.parameters import STORED, kind_of, reader, stored_views
from compare.training.states import require_same
from frameworks import copy_weights
from frameworks.keras.tensors import overwritten

Array = npt.NDArray[np.floating]

PATHS = (
    *("encoder.embedding", "encoder.gru", "encoder.lstm"),
    *("decoder.embedding", "decoder.attention.W1", "decoder.attention.W2", "decoder.attention.V"),
    *("decoder.gru", "decoder.lstm", "decoder.fc"),
)
"""Of the parts of a translator; it has those that its encoder and decoder are made of."""


def parts(model: Any) -> dict[str, Any]:
    """Give the layers that hold parameters, by their paths, in the order of PATHS."""
    found = {}
    for path in PATHS:
        with suppress(AttributeError):  # a GRU's model has no LSTM
            found[path] = attrgetter(path)(model)
    return found


def parameters(model: Any) -> dict[str, Array]:
    """Give copies of all parameters, by path and name; of an LSTM's two biases in PyTorch the sum, which is what acts."""
    return reader(parts(model).items())()


def copy_model(source: Any, target: Any) -> None:
    """Copy all parameters of one translator into another, of the same framework or the other.

    Args:
        source: a translator.
        target: likewise; all of its parameters are replaced. The second bias of an LSTM in PyTorch becomes 0.

    Raises:
        GatewiseError: if they are not made of the same parts, in the same sizes and dtype; nothing is written then.
    """
    remedy = "Build both translators with the same cell, sizes and dtype, and call a Keras model once before."
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
