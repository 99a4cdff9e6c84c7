"""`write_module`: a graph as the source of a torch module."""

from __future__ import annotations

from frameworks.models.graph import Graph, replaced, tensors_in
from frameworks.models.pytorch.pieces import Piece, Site, Statements, Target
from frameworks.models.pytorch.table import WRITERS
from frameworks.models.source import Became, Source


def write_module(graph: Graph, *, padding: str = "any", imports_gatewise: bool = False) -> Source:
    """Return the source of a torch module that computes what a graph does."""
    target = Target("any" if padding == "any" else "end", imports_gatewise, graph.version)
    pieces: dict[str, Piece] = {
        name: WRITERS[layer.kind](layer, graph, target) for name, layer in graph.layers.items() if layer.kind in WRITERS
    }
    names = dict.fromkeys(graph.inputs, "x")
    lines = []
    for call in graph.calls:
        args = tuple(replaced(each, names) for each in call.args)
        shapes = tuple(graph.shapes.get(each) for each in tensors_in(call.args))
        site = Site(call, graph, f"self.{call.layer}", args, {}, (None,) * len(shapes), shapes, ("x",), (None,), str)
        made = pieces[call.layer].call(site)
        lines += list(made.lines) if isinstance(made, Statements) else [f"x = {made}"]
        names[call.results[0]] = "x"
    modules = [f"self.{name} = {piece.module}" for name, piece in pieces.items() if piece.module]
    text = "\n".join(
        [
            "import torch",
            "from torch import nn",
            "",
            "",
            "class Model(nn.Module):",
            "    def __init__(self):",
            "        super().__init__()",
            *(f"        {line}" for line in modules),
            "",
            "    def forward(self, x):",
            *(f"        {line}" for line in lines),
            "        return x",
            "",
        ]
    )
    blocks = {f"{name}.{array}": each for name, piece in pieces.items() for array, each in piece.arrays.items()}
    table = [Became(name, graph.layers[name].kind, f"self.{name}", piece.how) for name, piece in pieces.items()]
    return Source("pytorch", text, tuple(table), (), blocks)
