"""Convolutions in torch: plain, depthwise, separable and transposed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from frameworks.files.writing.blocks import Tensor as Blocks
from frameworks.files.writing.blocks import transposed, unchanged
from frameworks.models.graph import Graph, Layer
from frameworks.models.pytorch.layers.activations import activated, helpers_of
from frameworks.models.pytorch.layers.given import Given, arguments, number_or_all, reshaped
from frameworks.models.pytorch.layers.windows import Window, as_before, channels_second, lengths_of, pad_helpers
from frameworks.models.pytorch.pieces import Piece, Site, Target, Writer


def _window(given: Given, rank: int) -> Window:
    kernel, dilation = given.sizes("kernel_size", rank), given.sizes("dilation_rate", rank)
    sizes = tuple((size - 1) * gap + 1 for size, gap in zip(kernel, dilation, strict=True))
    return Window(sizes, given.sizes("strides", rank), given["padding"])


def _steps(given: Given, rank: int, groups: int = 1, *, bias: bool = True) -> dict[str, tuple[object, object]]:
    """Return the named arguments of a convolution, each with torch's default."""
    return {
        "stride": (number_or_all(given.sizes("strides", rank)), 1),
        "padding": ('"same"' if _is_torch_s_same(given, rank) else 0, 0),
        "dilation": (number_or_all(given.sizes("dilation_rate", rank)), 1),
        "groups": (groups, 1),
        "bias": (bias, True),
    }


def _is_torch_s_same(given: Given, rank: int) -> bool:
    window = _window(given, rank)
    symmetric = all(size % 2 for size in window.sizes)  # torch warns that it copies the input otherwise
    return window.padding == "same" and set(window.strides) == {1} and set(window.sizes) != {1} and symmetric


def _piece(given: Given, rank: int, module: str, arrays: Mapping[str, Blocks]) -> Piece:
    """Return a module of torch with the channels second, padded as Keras pads."""
    window, activation, version = _window(given, rank), given["activation"], given.version
    is_native = window.padding == "valid" or _is_torch_s_same(given, rank)

    def call(site: Site) -> str:
        x = channels_second(site.x, given, rank)
        x = x if is_native else window.padded(x, lengths_of(site.shapes[0], given, rank))
        return activated(as_before(f"{site.module}({x})", given, rank), activation, version)

    how = "as it is" if is_native else f"padded as Keras does for padding={window.padding!r}"
    pads = () if is_native else pad_helpers(given, window)
    return Piece(call, module, arrays, how, (*helpers_of(activation, version), *pads))


def _convolution(rank: int) -> Writer:
    def write(layer: Layer, graph: Graph, target: Target) -> Piece:
        given = Given(layer, graph, target)
        arrays = given.arrays(f"Conv{rank}d")
        groups = given["groups"] or 1
        filters, inputs, *_ = arrays["weight"].shape
        named = _steps(given, rank, groups, bias="bias" in arrays)
        kernel = number_or_all(given.sizes("kernel_size", rank))
        return _piece(given, rank, f"nn.Conv{rank}d({arguments(inputs * groups, filters, kernel, **named)})", arrays)

    return write


def _per_channel(given: Given, name: str, rank: int) -> tuple[Blocks, int, int]:
    """Return the kernel of a depthwise convolution in torch's layout, the channels it reads and those it makes of each."""
    stored = given.stored[name]
    *kernel, channels, times = stored.shape
    moved = transposed(stored, (rank, rank + 1, *range(rank)))
    return reshaped(moved, (channels * times, 1, *kernel)), channels, times


def _depthwise(rank: int) -> Writer:
    def write(layer: Layer, graph: Graph, target: Target) -> Piece:
        given = Given(layer, graph, target)
        weight, channels, times = _per_channel(given, "depthwise_kernel", rank)
        arrays = {"weight": weight} | ({"bias": unchanged(given.stored["bias"])} if "bias" in given.stored else {})
        named = _steps(given, rank, channels, bias="bias" in arrays)
        kernel = number_or_all(given.sizes("kernel_size", rank))
        return _piece(given, rank, f"nn.Conv{rank}d({arguments(channels, channels * times, kernel, **named)})", arrays)

    return write


def _separable(rank: int) -> Writer:
    def write(layer: Layer, graph: Graph, target: Target) -> Piece:
        given = Given(layer, graph, target)
        weight, channels, times = _per_channel(given, "depthwise_kernel", rank)
        point = given.stored["pointwise_kernel"]
        arrays = {"0.weight": weight, "1.weight": transposed(point, (rank + 1, rank, *range(rank)))}
        arrays |= {"1.bias": unchanged(given.stored["bias"])} if "bias" in given.stored else {}
        kernel = number_or_all(given.sizes("kernel_size", rank))
        named = _steps(given, rank, channels, bias=False)
        first = f"nn.Conv{rank}d({arguments(channels, channels * times, kernel, **named)})"
        second = arguments(channels * times, point.shape[-1], 1, bias=("1.bias" in arrays, True))
        return _piece(given, rank, f"nn.Sequential({first}, nn.Conv{rank}d({second}))", arrays)

    return write


def _transposed(rank: int) -> Writer:
    """Return the writer of a transposed convolution, of whose whole result Keras keeps a window."""

    def write(layer: Layer, graph: Graph, target: Target) -> Piece:
        given = Given(layer, graph, target)
        stored = given.stored["kernel"]
        weight = transposed(stored, (rank + 1, rank, *range(rank)))
        arrays = {"weight": weight} | ({"bias": unchanged(given.stored["bias"])} if "bias" in given.stored else {})
        cut = [_cut(*each) for each in zip(*_sizes_of(given, rank), strict=True)]
        named = {
            "stride": (number_or_all(given.sizes("strides", rank)), 1),
            "padding": (number_or_all(tuple(before for before, _, _ in cut)), 0),
            "output_padding": (number_or_all(tuple(more for _, more, _ in cut)), 0),
            "bias": ("bias" in arrays, True),
            "dilation": (number_or_all(given.sizes("dilation_rate", rank)), 1),
        }
        ends = [-less if less else None for _, _, less in cut]
        kept = "".join(f", :{end or ''}" for end in ends) if any(ends) else ""
        call = _transposed_call(given, rank, f"[..., {kept[2:]}]" if kept else "")
        kernel = number_or_all(given.sizes("kernel_size", rank))
        module = f"nn.ConvTranspose{rank}d({arguments(stored.shape[-1], stored.shape[-2], kernel, **named)})"
        how = "cut at the end as Keras does, where torch cuts both ends alike" if kept else "as it is"
        return Piece(call, module, arrays, how, helpers_of(given["activation"], given.version))

    return write


def _transposed_call(given: Given, rank: int, kept: str) -> Callable[[Site], str]:
    def call(site: Site) -> str:
        made = f"{site.module}({channels_second(site.x, given, rank)}){kept}"
        return activated(as_before(made, given, rank), given["activation"], given.version)

    return call


def _sizes_of(given: Given, rank: int) -> tuple[tuple[object, ...], ...]:
    more = (None,) * rank if given["output_padding"] is None else given.sizes("output_padding", rank)
    return _window(given, rank).sizes, given.sizes("strides", rank), more, (given["padding"],) * rank


def _cut(size: int, stride: int, more: int | None, padding: str) -> tuple[int, int, int]:
    """Return torch's padding and output_padding, and what is cut at the end besides.

    The whole result of n steps has (n - 1) * stride + size numbers. Keras keeps n * stride of them for "same", or, with an
    `output_padding`, (n - 1) * stride + size % 2 + output_padding; for "valid" all of them, and adds to the end.
    """
    if padding == "valid":
        return 0, max(stride - size, 0) if more is None else more, 0
    surplus = size - (stride if more is None else size % 2 + more)
    before = max(surplus, 0) // 2
    after = surplus - before
    return before, max(before - after, 0), max(after - before, 0)


WRITERS: Mapping[str, Writer] = MappingProxyType(
    {
        **{f"Conv{rank}D": _convolution(rank) for rank in (1, 2)},
        **{f"DepthwiseConv{rank}D": _depthwise(rank) for rank in (1, 2)},
        **{f"SeparableConv{rank}D": _separable(rank) for rank in (1, 2)},
        **{f"Conv{rank}DTranspose": _transposed(rank) for rank in (1, 2)},
    }
)
