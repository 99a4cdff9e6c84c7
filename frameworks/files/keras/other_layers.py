"""Non-recurrent layers of a Keras file, with their arrays under Keras names if the kind is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from frameworks.files.keras.config import Node
from frameworks.files.other_layers import GENERATOR, NotUnderstoodError, OtherLayer
from frameworks.files.untrusted.source import StoredArray
from frameworks.kinds import KERAS, Array

_OF_KERAS_3 = "/vars/"
"""What the paths of arrays contain in the files of Keras 3."""


def read_other(node: Node, arrays: Mapping[str, StoredArray], why: NotUnderstoodError | None = None) -> OtherLayer:
    """Return a layer with its arrays, under Keras names if the class is known and has this number of arrays.

    Args:
        node: the layer.
        arrays: the arrays by their names in the file, in the file's order.
        why: the reason why a recurrent layer could not be read as one; None for a non-recurrent layer.
    """
    expected = KERAS.get(node.class_name).arrays_with(node.config)
    counted = {path: array for path, array in arrays.items() if GENERATOR not in path}
    named = _named(expected or (), counted)
    known = expected is not None and named is not None and why is None
    warnings = [] if why is None else [why.warning]
    if expected is not None and named is None:
        warnings.append(f"{node.class_name} has {len(expected)} arrays, but the file has {len(counted)}.")
    left = {path: array for path, array in arrays.items() if path not in counted}
    stored = dict(arrays) if expected is None or named is None else named | left
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


def _named(expected: Sequence[Array], arrays: Mapping[str, StoredArray]) -> dict[str, StoredArray] | None:
    """Return arrays by their Keras names, or None if they are not these: by path in a layer of layers, otherwise in order."""
    by_path = {path.removeprefix("_"): array for path, array in arrays.items()}
    if len(expected) != len(arrays):
        return None
    if any(array.path for array in expected) and any(_OF_KERAS_3 in path for path in arrays):
        return (
            {array.name: by_path[array.path] for array in expected}
            if by_path.keys() == {each.path for each in expected}
            else None
        )
    return dict(zip([array.name for array in expected], arrays.values(), strict=True))
