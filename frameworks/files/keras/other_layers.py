"""Layers of a Keras file that are not recurrent: which array is what in those whose kind is known."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from frameworks.files.keras.config import Node
from frameworks.files.other_layers import NotUnderstoodError, OtherLayer
from frameworks.files.untrusted.source import StoredArray
from frameworks.kinds import KERAS


def read_other(node: Node, arrays: Mapping[str, StoredArray], why: NotUnderstoodError | None = None) -> OtherLayer:
    """List a layer with its arrays, under Keras's names where the class is known and has as many.

    Args:
        node: the layer.
        arrays: in the file's order, by its names for them.
        why: why a recurrent layer is not listed as one; None for another.
    """
    expected = KERAS.get(node.class_name).arrays_with(node.config)
    known = expected is not None and len(expected) == len(arrays) and why is None
    warnings = [] if why is None else [why.warning]
    if expected is not None and not known:
        warnings.append(f"{node.class_name} has {len(expected)} arrays, and the file {len(arrays)}.")
    names = [array.name for array in expected or ()]
    stored = dict(zip(names, arrays.values(), strict=True)) if known else dict(arrays)
    return OtherLayer(
        node.name,
        node.class_name,
        MappingProxyType(stored),
        node.config,
        known=known or not arrays,
        wrappers=node.wrappers,
        warnings=tuple(warnings),
        place=node.home,
    )
