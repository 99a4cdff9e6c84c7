"""Non-recurrent layers of a Keras file, with their arrays under Keras names if the kind is known."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from frameworks.files.keras.config import Node
from frameworks.files.other_layers import NotUnderstoodError, OtherLayer
from frameworks.files.untrusted.source import StoredArray
from frameworks.kinds import KERAS


def read_other(node: Node, arrays: Mapping[str, StoredArray], why: NotUnderstoodError | None = None) -> OtherLayer:
    """Return a layer with its arrays, under Keras names if the class is known and has this number of arrays.

    Args:
        node: the layer.
        arrays: the arrays by their names in the file, in the file's order.
        why: the reason why a recurrent layer could not be read as one; None for a non-recurrent layer.
    """
    expected = KERAS.get(node.class_name).arrays_with(node.config)
    known = expected is not None and len(expected) == len(arrays) and why is None
    warnings = [] if why is None else [why.warning]
    if expected is not None and not known:
        warnings.append(f"{node.class_name} has {len(expected)} arrays, but the file has {len(arrays)}.")
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
        options=why.options if why else (),
    )
