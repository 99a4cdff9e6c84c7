"""Corresponding kinds of two frameworks, and the order of their arrays' axes."""

from __future__ import annotations

from frameworks.kinds.keras import KERAS
from frameworks.kinds.pytorch import PYTORCH
from frameworks.kinds.records import ANY_AXES, Array


def keras_kind(name: str) -> str:
    """Return the Keras class for a kind of either framework, or "" if there is none with known arrays."""
    return name if KERAS.get(name).arrays else PYTORCH.get(name).means


def permutation(source: Array, target: Array) -> tuple[int, ...]:
    """Return, for each axis of the target, its position in the source; () if the order is the same."""
    if ANY_AXES in (*source.axes, *target.axes):
        return ()
    return tuple(source.axes.index(axis) for axis in target.axes)
