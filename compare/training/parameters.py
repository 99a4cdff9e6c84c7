"""Reading layers in one form whichever framework holds them: the canonical one of recurrent layers, Keras's of others."""

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
"""Of each kind of layer: its arrays, each one's attribute, and whether it lies there with its axes in reverse."""


def reader(layers: Iterable[tuple[str, Any]]) -> Callable[[], dict[str, Array]]:
    """Give a function that reads all parameters of named layers, as they are at the time.

    Args:
        layers: of either framework; recurrent ones as `adapt` takes them, and those of STORED.

    Raises:
        GatewiseError: for a layer that is none of these.
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
    """Name the framework and class of a layer, as STORED does."""
    return f"{registry.owner_name(layer)} {type(layer).__name__}"


def is_stored(layer: Any) -> bool:
    """Tell whether a layer is one whose arrays STORED names."""
    return kind_of(layer) in STORED


def stored_views(layer: Any) -> Iterator[tuple[str, Array]]:
    """Yield the arrays of a layer, as Keras has them; those that it has not, such as a bias left out, are not there.

    Raises:
        GatewiseError: for a layer of another kind.
    """
    if not is_stored(layer):
        raise InvalidTypeError.because(
            "a layer of a training",
            must=f"be recurrent, or one of {', '.join(STORED)}",
            but=f"is a {kind_of(layer)}",
            remedy="Train what stands around it, or read its parameters yourself with train_together.",
        )
    registry.load("keras")
    from frameworks.keras.tensors import view

    for name, (attribute, reverses) in STORED[kind_of(layer)].items():
        variable = getattr(layer, attribute, None)
        if variable is not None:
            array = view(variable)
            yield name, array.T if reverses else array
