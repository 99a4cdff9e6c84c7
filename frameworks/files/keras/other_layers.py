"""Layers of a Keras file that are not recurrent: which array is what in those that recurrent models have beside."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from frameworks.files.keras.config import Node
from frameworks.files.other_layers import NotUnderstoodError, OtherLayer
from frameworks.files.untrusted.source import StoredArray

ARRAYS: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "Embedding": (("embeddings", ""),),
        "Dense": (("kernel", ""), ("bias", "use_bias")),
        "Conv1D": (("kernel", ""), ("bias", "use_bias")),
        "Conv2D": (("kernel", ""), ("bias", "use_bias")),
        "LayerNormalization": (("gamma", "scale"), ("beta", "center")),
        "BatchNormalization": (("gamma", "scale"), ("beta", "center"), ("moving_mean", ""), ("moving_variance", "")),
        "PReLU": (("alpha", ""),),
        "Attention": (("scale", "use_scale"),),
        "AdditiveAttention": (("scale", "use_scale"),),
    }
)
"""By class, each array in Keras's order and the argument that it depends on."""

_OFF_BY_DEFAULT = frozenset({("Attention", "use_scale")})

NOT_TRAINED = frozenset({"moving_mean", "moving_variance"})
"""Arrays that older files put after all that is trained."""


def names_of(node: Node) -> tuple[str, ...] | None:
    """Give the names of a layer's arrays in Keras's order; None for a class that is not known here."""
    if node.class_name not in ARRAYS:
        return None
    return tuple(
        name
        for name, argument in ARRAYS[node.class_name]
        if not argument or node.config.get(argument, (node.class_name, argument) not in _OFF_BY_DEFAULT)
    )


def read_other(node: Node, arrays: Mapping[str, StoredArray], why: NotUnderstoodError | None = None) -> OtherLayer:
    """List a layer with its arrays, under Keras's names where the class is known and has as many.

    Args:
        node: the layer.
        arrays: in the file's order, by its names for them.
        why: why a recurrent layer is not listed as one; None for another.
    """
    names = names_of(node)
    known = names is not None and len(names) == len(arrays) and why is None
    warnings = [] if why is None else [why.warning]
    if names is not None and not known:
        warnings.append(f"{node.class_name} has {len(names)} arrays, and the file {len(arrays)}.")
    stored = dict(zip(names or (), arrays.values(), strict=True)) if known else dict(arrays)
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
