"""Reading the parameters of a layer in one format for both frameworks: canonical for recurrent layers, Keras's for others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
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
        "pytorch LayerNorm": _SCALED_IN_TORCH,
        "pytorch BatchNorm1d": _SCALED_IN_TORCH,
    }
)
"""The arrays of each kind of layer: attribute of the array, and whether its axes are reversed there."""


def reader(layers: Iterable[tuple[str, Any]]) -> Callable[[], dict[str, Array]]:
    """Return a function that reads the current parameters of named layers.

    Args:
        layers: pairs of a name and a layer of either framework: recurrent layers that `adapt` accepts, and the kinds in STORED.

    Raises:
        GatewiseError: for any other layer.
    """
    named = [(name, _reading(layer)) for name, layer in layers]

    def read() -> dict[str, Array]:
        return {f"{name}.{part}": np.array(array, order="C") for name, views in named for part, array in views()}

    return read


def _reading(layer: Any) -> Callable[[], Iterator[tuple[str, Array]]]:
    if is_stored(layer):
        return lambda: stored_views(layer)
    adapter = adapt(layer)
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
        raise InvalidTypeError.because(
            "a layer in the training",
            must=f"be recurrent, or one of {', '.join(STORED)}",
            but=f"is a {kind_of(layer)}",
            remedy="Leave it out, or use train_together with your own function that reads its parameters.",
        )
    registry.load("keras")
    from frameworks.keras.tensors import view

    for name, (attribute, reverses) in STORED[kind_of(layer)].items():
        variable = getattr(layer, attribute, None)
        if variable is not None:
            array = view(variable)
            yield name, array.T if reverses else array
