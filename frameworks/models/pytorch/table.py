"""The writers of all kinds of layers, by Keras class."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from frameworks.models.pytorch.layers import dense, dropout, merging, reshaping, activations
from frameworks.models.pytorch.pieces import Writer

WRITERS: Mapping[str, Writer] = MappingProxyType({**dense.WRITERS, **dropout.WRITERS, **merging.WRITERS, **reshaping.WRITERS, **activations.WRITERS})
