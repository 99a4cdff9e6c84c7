"""Dense and Embedding layers in torch."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from frameworks.models.graph import Graph, Layer
from frameworks.models.pytorch.layers.activations import activated, helpers_of
from frameworks.models.pytorch.layers.given import Given, arguments
from frameworks.models.pytorch.pieces import Piece, Site, Target, Writer


def _dense(layer: Layer, graph: Graph, target: Target) -> Piece:
    given = Given(layer, graph, target)
    arrays = given.arrays("Linear")
    units, size = arrays["weight"].shape
    activation, version = given["activation"], target.version
    return Piece(
        lambda site: activated(f"{site.module}({site.x})", activation, version),
        f"nn.Linear({arguments(size, units, bias=('bias' in arrays, True))})",
        arrays,
        helpers=helpers_of(activation, version),
        any_rank=True,
    )


def _embedding(layer: Layer, graph: Graph, target: Target) -> Piece:
    given = Given(layer, graph, target)
    arrays = given.arrays("Embedding")
    size, width = arrays["weight"].shape

    def call(site: Site) -> str:
        read = site.call.reads[0]
        is_integer = read in graph.inputs and graph.dtypes.get(read, "int32").startswith("int")
        return f"{site.module}({site.x}{'' if is_integer else '.long()'})"

    how = "as it is; Keras trains row 0 too, so there is no padding_idx" if given["mask_zero"] else "as it is"
    return Piece(call, f"nn.Embedding({size}, {width})", arrays, how, mask=lambda x: f"{x} != 0")


WRITERS: Mapping[str, Writer] = MappingProxyType({"Dense": _dense, "Embedding": _embedding})
