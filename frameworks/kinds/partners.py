"""Which kind of one framework stands for which of another, and how their arrays lie."""

from __future__ import annotations

from frameworks.kinds.keras import KERAS
from frameworks.kinds.pytorch import PYTORCH
from frameworks.kinds.records import ANY_AXES, Array


def keras_kind(name: str) -> str:
    """Return Keras's class of a kind of either framework; "" where none with known arrays is listed."""
    return name if KERAS.get(name).arrays else PYTORCH.get(name).means


def permutation(source: Array, target: Array) -> tuple[int, ...]:
    """Return where each axis of the target lies in the source; () where the array stays as it is."""
    if ANY_AXES in (*source.axes, *target.axes):
        return ()
    return tuple(source.axes.index(axis) for axis in target.axes)
