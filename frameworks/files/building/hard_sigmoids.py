"""Layers with Keras 2's hard_sigmoid as layers with that of Keras 3, which has another slope.

Keras 2's hard_sigmoid of x, clip(0.2 x + 0.5), is Keras 3's of 1.2 x, clip(1.2 x / 6 + 0.5). What an activation is applied to
is linear in the arrays of its gate, so that these are scaled.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from frameworks.copying import fill
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredCell
from frameworks.files.untrusted.source import in_memory
from frameworks.layouts import KERAS

FACTOR = 1.2
_LINEAR = ("kernel", "recurrent_kernel", "bias", "recurrent_bias", "pointwise_kernel", "depthwise_kernel")
COMPARED_AS_SUCH = (
    f"{{}}: Keras 2's hard_sigmoid is that of Keras 3 with {FACTOR} times the arrays, and they are compared as such"
)
OLD, TODAY = "keras2_hard_sigmoid", "hard_sigmoid"


def scaled_gates(cell: StoredCell) -> tuple[str, ...]:
    """Return the gates of a cell whose activation is Keras 2's hard_sigmoid."""
    spec, gates = cell.spec, cell.spec.record.gates
    gated = "recurrent_activation" in spec.record.options and spec.recurrent_activation == OLD
    return tuple(gate for gate in gates if (spec.activation == OLD if gate == "candidate" else gated))


def acts_on_state(cell: StoredCell) -> bool:
    """Return whether Keras 2's hard_sigmoid is also applied to the cell state, where no scaled array makes Keras 3's of it."""
    return cell.spec.activation == OLD and "c" in cell.spec.record.states


def with_todays(cell: StoredCell) -> StoredCell:
    """Return a cell that computes the same with Keras 3's hard_sigmoid, its arrays in Keras's layout.

    Args:
        cell: a cell whose activation does not act on the cell state.
    """
    scaled, weights = scaled_gates(cell), cell.read()
    factors = np.array([FACTOR if gate in scaled else 1 for gate in weights.gates], cell.spec.dtype)
    parts: dict[str, Any] = {part: each * factors.reshape(-1, *(1,) * (each.ndim - 1)) for part, each in weights.arrays()}
    arrays = {name: np.empty(shape, cell.spec.dtype) for name, shape in KERAS.shapes(cell.spec, 0).items()}
    fill(arrays, KERAS, cell.spec, 0, replace(weights, **parts))
    options: dict[str, Any] = {name: TODAY for name in cell.spec.record.options if getattr(cell.spec, name, None) == OLD}
    stored = MappingProxyType({name: in_memory(array) for name, array in arrays.items()})
    return replace(cell, spec=replace(cell.spec, **options), layout=KERAS, arrays=stored)


def linear_arrays(names: Collection[str]) -> list[str]:
    """Return the arrays of a layer that is not recurrent in which its activation's argument is linear.

    Args:
        names: Keras's names of all its arrays; of a separable convolution's two kernels it is the last.
    """
    return [name for name in names if name in _LINEAR and not (name == "depthwise_kernel" and "pointwise_kernel" in names)]


def other_with_todays(layer: OtherLayer) -> OtherLayer:
    """Return a layer with Keras's arrays and Keras 2's hard_sigmoid as one that computes the same with Keras 3's."""
    linear = linear_arrays(layer.stored)
    stored = {
        name: in_memory(array.read() * array.dtype.type(FACTOR)) if name in linear else array
        for name, array in layer.stored.items()
    }
    return replace(layer, stored=MappingProxyType(stored), config=MappingProxyType({**layer.config, "activation": TODAY}))
