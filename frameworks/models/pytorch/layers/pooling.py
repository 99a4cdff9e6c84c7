"""Pooling layers in torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from frameworks.models.graph import Graph, Layer
from frameworks.models.pytorch.layers.given import Given, arguments, number_or_all
from frameworks.models.pytorch.layers.windows import PAD_SAME, Window, as_before, channels_second, lengths_of, pad_helpers
from frameworks.models.pytorch.pieces import Helper, Piece, Site, Target, Writer

_AVERAGE_SAME = Helper(
    "average_same",
    '''\
def average_same(pool, x, kernel_size, stride):
    """Average over windows padded as Keras pads, without counting the padding."""
    counted = pad_same(torch.ones_like(x), kernel_size, stride)
    return pool(pad_same(x, kernel_size, stride)) / pool(counted)''',
    needs=(PAD_SAME,),
)


def _pooling(name: str, rank: int) -> Writer:
    """Return the writer of a layer that pools windows: "Max" or "Avg" in torch."""

    def write(layer: Layer, graph: Graph, target: Target) -> Piece:
        given = Given(layer, graph, target)
        sizes = given.sizes("pool_size", rank)
        strides = sizes if given["strides"] is None else given.sizes("strides", rank)
        window = Window(sizes, strides, given["padding"])
        at_the_end = window.padding == "same" and _pads_only_the_end(window)
        named = {"stride": (number_or_all(strides), number_or_all(sizes)), "ceil_mode": (at_the_end, False)}
        module = f"nn.{name}Pool{rank}d({arguments(number_or_all(sizes), **named)})"
        if window.padding == "valid" or at_the_end:
            how = "as it is" if window.padding == "valid" else "padding='same' only pads the end here: ceil_mode"
            return Piece(lambda site: _around(site, given, rank, lambda x: f"{site.module}({x})"), module, how=how)
        return _padded(given, rank, window, module)

    return write


def _pads_only_the_end(window: Window) -> bool:
    """Return whether nothing is padded before any axis, whatever its length, and no window begins in what is padded."""
    return all(size <= 2 and step >= size for size, step in zip(window.sizes, window.strides, strict=True))


def _padded(given: Given, rank: int, window: Window, module: str) -> Piece:
    is_average = module.startswith("nn.Avg")

    def call(site: Site) -> str:
        lengths = lengths_of(site.shapes[0], given, rank)

        def pooled(x: str) -> str:
            if is_average:
                return f"average_same({site.module}, {x}, {window.sizes}, {window.strides})"
            return f"{site.module}({window.padded(x, lengths, value='-math.inf')})"

        return _around(site, given, rank, pooled)

    how = "padded as Keras does for padding='same'"
    return Piece(call, module, how=how, helpers=(_AVERAGE_SAME,) if is_average else pad_helpers(given, window))


def _around(site: Site, given: Given, rank: int, pooled: Callable[[str], str]) -> str:
    return as_before(pooled(channels_second(site.x, given, rank)), given, rank)


def _global(function: str, rank: int) -> Writer:
    def write(layer: Layer, graph: Graph, target: Target) -> Piece:
        given = Given(layer, graph, target)
        first = 2 if given.channels_first else 1
        axes = tuple(range(first, first + rank))
        dim = f"dim={axes[0] if rank == 1 else axes}{', keepdim=True' if given['keepdims'] else ''}"

        def call(site: Site) -> str:
            if function != "mean" or rank > 1 or site.call.mask is None:
                return f"{site.x}.{function}({dim})"
            mask = f"{site.mask}[:, None]" if given.channels_first else f"{site.mask}[..., None]"
            return f"torch.where({mask}, {site.x}, 0).sum({dim}) / {mask}.sum({dim})"

        masked = function == "mean" and rank == 1 and any(call.mask is not None for call in graph.calls_of(layer.name))
        return Piece(call, how="the mean of the steps that the mask keeps" if masked else "as it is")

    return write


WRITERS: Mapping[str, Writer] = MappingProxyType(
    {
        **{
            f"{name}Pooling{rank}D": _pooling(here, rank)
            for name, here in (("Max", "Max"), ("Average", "Avg"))
            for rank in (1, 2)
        },
        **{
            f"Global{name}Pooling{rank}D": _global(function, rank)
            for name, function in (("Max", "amax"), ("Average", "mean"))
            for rank in (1, 2)
        },
    }
)
