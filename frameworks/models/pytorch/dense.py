"""Dense layers in torch."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from frameworks.files.other_layers import OtherLayer
from frameworks.files.writing.blocks import transposed, unchanged
from frameworks.models.graph import Graph, Layer
from frameworks.models.pytorch.pieces import Piece, Site, Target, Writer


def dense(layer: Layer, graph: Graph, target: Target) -> Piece:  # noqa: ARG001  one signature for all writers
    """Return nn.Linear."""
    stored = layer.stored.stored if isinstance(layer.stored, OtherLayer) else {}
    kernel = stored["kernel"]
    arrays = {"weight": transposed(kernel, (1, 0))}
    if "bias" in stored:
        arrays["bias"] = unchanged(stored["bias"])
    size, units = kernel.shape

    def call(site: Site) -> str:
        return f"{site.module}({site.x})"

    return Piece(call, f"nn.Linear({size}, {units}{'' if 'bias' in arrays else ', bias=False'})", arrays, any_rank=True)


WRITERS: Mapping[str, Writer] = MappingProxyType({"Dense": dense})
