"""Laying a file's weights into a layer of today's Keras, scaled where today's hard_sigmoid has another slope."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from frameworks.errors import NoCounterpartError
from frameworks.files.building.hard_sigmoids import FACTOR, linear_arrays, with_todays
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredCell, StoredLayer
from frameworks.keras.natives import cells_of
from frameworks.models.keras.options import refused

Array = npt.NDArray[Any]

_CONVOLVED_GATES = ("input", "forget", "candidate", "output")
"""The gates of a ConvLSTM, in the order of its arrays' last axis."""


def lay_in(native: Any, stored: StoredLayer | OtherLayer | None, where: str, hard_sigmoids: Collection[str] = ()) -> None:
    """Set the weights of a layer that is built.

    Args:
        native: today's layer; not a wrapper that runs it several times.
        stored: its weights.
        where: the layer in messages.
        hard_sigmoids: those of its options that are Keras 2's hard_sigmoid.

    Raises:
        NoCounterpartError: for arrays that do not fit, and for an activation whose arrays cannot be scaled.
    """
    if isinstance(stored, StoredLayer):
        _lay_in_cells(native, stored)
        return
    arrays = [] if stored is None else list(_arrays(stored))
    shapes = [tuple(each.shape) for each in native.weights]
    if shapes != [array.shape for _, array in arrays]:
        held = ", ".join(f"{name} {array.shape}" for name, array in arrays) or "none"
        raise refused(f"the arrays of {where}", must=f"have Keras 3's shapes {shapes}", but=f"are {held}")
    if hard_sigmoids:
        arrays = _scaled(native, arrays, where, hard_sigmoids)
    native.set_weights([array for _, array in arrays])


def _arrays(stored: OtherLayer) -> Iterator[tuple[str, Array]]:
    """Yield the arrays in Keras's order, without the state of a random generator."""
    for name, array in stored.stored.items():
        if "seed_generator" not in name:
            yield name, np.asarray(array.read())


def _lay_in_cells(native: Any, stored: StoredLayer) -> None:
    both = len(stored.cells[0]) == 2
    for direction, part in enumerate((native.forward_layer, native.backward_layer) if both else (native,)):
        for own, row in zip(cells_of(part, keras)[0], stored.cells, strict=True):
            _lay_in_cell(own, row[direction])


def _lay_in_cell(native: Any, cell: StoredCell) -> None:
    for name, array in with_todays(cell).arrays.items():
        getattr(native, name).assign(array.read())


def _scaled(native: Any, arrays: list[tuple[str, Array]], where: str, options: Collection[str]) -> list[tuple[str, Array]]:
    """Scale the arrays of a layer that is not read as a recurrent one."""
    if hasattr(getattr(native, "cell", None), "kernel_size"):
        if "activation" in options:
            raise on_the_state(where)
        size = native.filters
        factors = np.repeat([1 if gate == "candidate" else FACTOR for gate in _CONVOLVED_GATES], size)
        return [(name, (array * factors).astype(array.dtype)) for name, array in arrays]
    names = [each.name for each in native.weights]
    linear = linear_arrays(names)
    if not isinstance(native, _LINEAR):
        raise refused(
            f"the activation of {where}",
            must="be one that Keras 3 has",
            but="is Keras 2's hard_sigmoid, and it is not known which arrays to scale for Keras 3's",
        )
    return [
        (name, array * array.dtype.type(FACTOR) if own in linear else array)
        for own, (name, array) in zip(names, arrays, strict=True)
    ]


_LINEAR: tuple[type, ...] = tuple(
    getattr(keras.layers, name)
    for name in (
        *("Dense", "EinsumDense", "Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"),
        *("DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D"),
    )
)


def on_the_state(where: str) -> NoCounterpartError:
    """Return the refusal of an activation that acts on the cell state."""
    return refused(
        f"the activation of {where}",
        must="be one that Keras 3 has",
        but="is Keras 2's hard_sigmoid, which also acts on the cell state, where no scaled array makes Keras 3's of it",
    )
