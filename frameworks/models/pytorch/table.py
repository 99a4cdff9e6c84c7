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
from frameworks.models.pytorch.operations import operations
from frameworks.models.pytorch.pieces import Writer
from frameworks.models.pytorch.recurrent import layers as recurrent

WRITERS: Mapping[str, Writer] = MappingProxyType(
    {
        **dense.WRITERS,
        **activations.WRITERS,
        **dropout.WRITERS,
        **reshaping.WRITERS,
        **merging.WRITERS,
        **convolutions.WRITERS,
        **pooling.WRITERS,
        **normalising.WRITERS,
        **attention.WRITERS,
        **heads.WRITERS,
        **operations.WRITERS,
        **recurrent.WRITERS,
    }
)
