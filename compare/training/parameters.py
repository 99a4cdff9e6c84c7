"""Reading the parameters of a layer in one format for both frameworks: canonical for recurrent layers, Keras's for others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from frameworks import adapt, registry
from frameworks.copying import match_biases
from frameworks.errors import InvalidTypeError

Array = npt.NDArray[Any]
Stored = Mapping[str, tuple[str, bool]]

_SCALED: Stored = {"gamma": ("gamma", False), "beta": ("beta", False)}
_SCALED_IN_TORCH: Stored = {"gamma": ("weight", False), "beta": ("bias", False)}
STORED: Mapping[str, Stored] = MappingProxyType(
    {
        "keras Dense": {"kernel": ("kernel", False), "bias": ("bias", False)},
        "keras Conv1D": {"kernel": ("kernel", False), "bias": ("bias", False)},
        "keras Embedding": {"embeddings": ("embeddings", False)},
        "keras LayerNormalization": _SCALED,
        "keras BatchNormalization": _SCALED,
        "pytorch Linear": {"kernel": ("weight", True), "bias": ("bias", False)},
        "pytorch Conv1d": {"kernel": ("weight", True), "bias": ("bias", False)},
        "pytorch Embedding": {"embeddings": ("weight", False)},
        "pytorch KerasEmbedding": {"embeddings": ("weight", False)},
        "pytorch LayerNorm": _SCALED_IN_TORCH,
        "pytorch BatchNorm1d": _SCALED_IN_TORCH,
    }
)
"""The arrays of each kind of layer: attribute of the array, and whether its axes are reversed there."""


def parameter_reader(layers: Mapping[str, Any]) -> Callable[[], dict[str, Array]]:
    """Return a function that reads the current parameters of layers, for a side of `train_together`.

    With the same names for a Keras layer and its torch module, both sides return the same names and shapes: of recurrent layers
    one array (gate, ...) per kernel, and the sum of an LSTM's two biases; of other layers the arrays as Keras shapes them.

    Args:
        layers: layers of either framework by the names to give them: recurrent layers that `adapt` accepts, and dense,
            embedding, one-dimensional convolution, and layer and batch normalisation layers.

    Returns:
        A function without arguments that returns copies of the arrays, by the name of the layer and of the array.

    Raises:
        GatewiseError: for any other layer.

    Example:
        >>> import torch
        >>> from compare.training import parameter_reader
        >>> read = parameter_reader({"encoder": torch.nn.LSTM(3, 2), "head": torch.nn.Linear(2, 5)})
        >>> {name: array.shape for name, array in read().items()}["encoder.kernel"]
        (4, 3, 2)
        >>> sorted(read())
        ['encoder.bias', 'encoder.kernel', 'encoder.recurrent_kernel', 'head.bias', 'head.kernel']
    """
    named = [(name, _reading(layer)) for name, layer in layers.items()]

    def read() -> dict[str, Array]:
        return {f"{name}.{part}": np.array(array, order="C") for name, views in named for part, array in views()}

    return read


def _reading(layer: Any) -> Callable[[], Iterator[tuple[str, Array]]]:
    if is_stored(layer):
        return lambda: stored_views(layer)
    try:
        adapter = adapt(layer)
    except InvalidTypeError as error:
        raise _unknown(layer) from error
    spec = adapter.spec

    def read() -> Iterator[tuple[str, Array]]:
        for number in range(spec.num_layers):
            for direction in range(2 if spec.bidirectional else 1):
                weights = match_biases(adapter.read(number, direction).in_order(spec.gates), two=spec.has_two_biases)
                place = (f"layer {number}." if spec.num_layers > 1 else "") + ("backward." if direction else "")
                yield from ((f"{place}{name}", array) for name, array in weights.arrays())

    return read


def kind_of(layer: Any) -> str:
    """Return the key of a layer's kind in STORED: framework and class."""
    return f"{registry.owner_name(layer)} {type(layer).__name__}"


def is_stored(layer: Any) -> bool:
    """Return whether STORED lists this kind of layer."""
    return kind_of(layer) in STORED


def stored_views(layer: Any) -> Iterator[tuple[str, Array]]:
    """Yield the name and array of each parameter of a layer, in Keras's layout; a missing bias is left out.

    Raises:
        GatewiseError: for a layer whose kind is not in STORED.
    """
    if not is_stored(layer):
        raise _unknown(layer)
    registry.load("keras")
    from frameworks.keras.tensors import view

    for name, (attribute, reverses) in STORED[kind_of(layer)].items():
        variable = getattr(layer, attribute, None)
        if variable is not None:
            array = view(variable)
            yield name, array.T if reverses else array


def _unknown(layer: Any) -> InvalidTypeError:
    return InvalidTypeError.because(
        "a layer in the training",
        must=f"be recurrent, or one of {', '.join(STORED)}",
        but=f"is a {kind_of(layer)}",
        remedy="Leave it out; or use compare.training.train_together with your own function that reads its parameters.",
    )
