"""Calling a user's Keras layer on NumPy arrays without changing it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from frameworks.adapter import random_call
from frameworks.keras.natives import library_of
from frameworks.keras.structure import parts
from frameworks.keras.tensors import flatten, map_nested, to_numpy

Array = npt.NDArray[Any]


def to_tensor(array: Array, library: ModuleType) -> Any:
    """Return an array as a tensor of the backend: tf_keras accepts no NumPy states, the torch backend no negative strides."""
    make = library.backend.constant if library.__name__ == "tf_keras" else library.ops.convert_to_tensor
    return make(array.copy(), dtype=array.dtype.name)


def operations(library: ModuleType) -> Any:
    """Return the module of a library that defines `concatenate` and `stack`."""
    return library.backend if library.__name__ == "tf_keras" else library.ops


def flip_time(tensor: Any, library: ModuleType) -> Any:
    """Reverse a tensor (batch, time, ...) in time."""
    return library.backend.reverse(tensor, 1) if library.__name__ == "tf_keras" else library.ops.flip(tensor, 1)


@contextmanager
def untouched(layers: Iterable[Any], cells: Iterable[Any]) -> Iterator[None]:
    """Restore stored states and the seeds of dropout masks afterwards, because a call changes both.

    Args:
        layers: the layers that may store states; of a Bidirectional, its two inner layers do.
        cells: the cells that may draw dropout masks.
    """
    kept = [state for layer in inner_layers(layers) for state in flatten(getattr(layer, "states", None))]
    kept += [generator.state for cell in cells if (generator := _seeds(cell)) is not None]
    before = [np.array(to_numpy(variable)) for variable in kept]
    try:
        yield
    finally:
        for variable, value in zip(kept, before, strict=True):
            variable.assign(value)


def call_whole(native: Any, inputs: Array, initial_state: Any, mask: Any, *, training: bool) -> Any:
    """Call a layer with its own flags, see `frameworks.registry.call_whole`."""
    library = library_of(native)
    native = native.layer if isinstance(native, library.layers.TimeDistributed) else native
    pieces = [part for _, _, part in parts(native)]
    if training and any(getattr(piece, name, 0) for piece in pieces for name in ("dropout", "recurrent_dropout")):
        raise random_call(type(native).__name__)
    states = None if initial_state is None else map_nested(lambda each: to_tensor(np.asarray(each), library), initial_state)
    steps = None if mask is None else to_tensor(np.asarray(mask), library)
    with untouched([native], [getattr(piece, "cell", piece) for piece in pieces]):
        returned = native(to_tensor(inputs, library), initial_state=states, mask=steps, training=training)
        return map_nested(to_numpy, returned)


def inner_layers(layers: Iterable[Any]) -> Iterator[Any]:
    """Yield the layers, and for a Bidirectional its two inner layers."""
    for layer in layers:
        if hasattr(layer, "forward_layer"):
            yield from (layer.forward_layer, layer.backward_layer)
        else:
            yield layer


def _seeds(cell: Any) -> Any:
    rates = (getattr(cell, name, 0) for name in ("dropout", "recurrent_dropout"))
    return getattr(cell, "seed_generator", None) if any(rates) else None
