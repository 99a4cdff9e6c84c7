"""The writers of all kinds of layers, by Keras class."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from frameworks.models.pytorch.layers import (
    activations,
    attention,
    convolutions,
    dense,
    dropout,
    heads,
    merging,
    normalising,
    pooling,
    reshaping,
)
from frameworks.models.pytorch.pieces import Writer
from frameworks.models.pytorch.recurrent import layers as recurrent

_MODULES = (
    *(activations, attention, convolutions, dense, dropout, heads, merging, normalising, pooling, reshaping),
    recurrent,
)

WRITERS: Mapping[str, Writer] = MappingProxyType({kind: write for module in _MODULES for kind, write in module.WRITERS.items()})
