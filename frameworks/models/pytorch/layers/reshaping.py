"""Layers in torch that move, repeat, pad or cut numbers, or leave them as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from frameworks.models.graph import Graph, Layer
from frameworks.models.pytorch.dtypes import constant
from frameworks.models.pytorch.layers.given import Given
from frameworks.models.pytorch.pieces import Piece, Site, Target, Writer, literal


def _writer(expression: Callable[[str, Given], str], *, any_rank: bool = False, how: str = "as it is") -> Writer:
    """Return the writer of a layer that is an expression of what it reads."""

    def write(layer: Layer, graph: Graph, target: Target) -> Piece:
        given = Given(layer, graph, target)
        expression("x", given)  # refuses now what it would refuse in a call
        return Piece(lambda site: expression(site.x, given), any_rank=any_rank, how=how)

    return write


def _reshape(x: str, given: Given) -> str:
    return f"{x}.reshape({', '.join(map(str, (f'{x}.shape[0]', *given['target_shape'])))})"


def _flatten(x: str, given: Given) -> str:
    if given.shape is not None and len(given.shape) == 1:
        return f"{x}[:, None]"
    return f"{x}.movedim(1, -1).flatten(1)" if given.channels_first else f"{x}.flatten(1)"


def _permute(x: str, given: Given) -> str:
    axes = tuple(given["dims"])
    return f"{x}.transpose(1, 2)" if axes == (2, 1) else f"{x}.permute({', '.join(map(str, (0, *axes)))})"


def _repeat(x: str, given: Given) -> str:
    return f"{x}.unsqueeze(1).repeat(1, {given['n']}, 1)"


def pairs(value: Any, rank: int) -> tuple[tuple[int, int], ...]:
    """Return a padding or cropping as a pair for each axis: stated as a number, a number an axis, or pairs."""
    if isinstance(value, int):
        return ((value, value),) * rank
    if rank == 1 and all(isinstance(each, int) for each in value):
        return (tuple(value),) if len(value) == 2 else (tuple(value) * 2,)
    return tuple((each, each) if isinstance(each, int) else tuple(each) for each in value)


def _zero_padding(rank: int) -> Callable[[str, Given], str]:
    def expression(x: str, given: Given) -> str:
        sides = [side for pair in reversed(pairs(given["padding"], rank)) for side in pair]
        return f"F.pad({x}, {tuple(sides) if given.channels_first else (0, 0, *sides)})"

    return expression


def _cropping(rank: int) -> Callable[[str, Given], str]:
    def expression(x: str, given: Given) -> str:
        cuts = [f"{left or ''}:{-right if right else ''}" for left, right in pairs(given["cropping"], rank)]
        return f"{x}[{', '.join([':', *([':'] if given.channels_first else []), *cuts])}]"

    return expression


def _up_sampling(rank: int) -> Callable[[str, Given], str]:
    def expression(x: str, given: Given) -> str:
        first = 2 if given.channels_first else 1
        times = given.sizes("size", rank)
        method = given.options.get("interpolation", "nearest")
        if method == "bilinear":
            channels_first = x if given.channels_first else f"{x}.movedim(-1, 1)"
            larger = f'F.interpolate({channels_first}, scale_factor={times}, mode="bilinear")'
            return larger if given.channels_first else f"{larger}.movedim(1, -1)"
        if method != "nearest":
            raise given.refused(
                "interpolation",
                "be 'nearest' or 'bilinear'",
                "Torch computes the others otherwise: train the model with one of these two, or port this layer by hand.",
            )
        for axis, number in enumerate(times, first):
            x = x if number == 1 else f"{x}.repeat_interleave({number}, dim={axis})"
        return x

    return expression


def _rescaling(x: str, given: Given) -> str:
    def factor(value: Any) -> str:
        number = isinstance(value, (int, float))
        return repr(float(value)) if number else constant(list(value), x)

    scale, offset = given["scale"], given["offset"]
    scaled = f"{x} * {factor(scale)}"
    return scaled if isinstance(offset, (int, float)) and offset == 0 else f"{scaled} + {factor(offset)}"


def _masking(layer: Layer, graph: Graph, target: Target) -> Piece:
    stated = Given(layer, graph, target)["mask_value"]
    value, is_set = literal(stated), bool(stated)

    def call(site: Site) -> str:
        return f"torch.where(({site.x} != {value}).any(dim=-1, keepdim=True), {site.x}, 0)" if is_set else site.x

    how = "masked steps are set to 0, as in Keras" if is_set else "the mask alone: a masked step is 0 already"
    return Piece(call, how=how, mask=lambda x: f"({x} != {value}).any(dim=-1)")


def _same(x: str, given: Given) -> str:  # noqa: ARG001  one signature for all expressions
    return x


WRITERS: Mapping[str, Writer] = MappingProxyType(
    {
        "Reshape": _writer(_reshape),
        "Flatten": _writer(_flatten),
        "Permute": _writer(_permute),
        "RepeatVector": _writer(_repeat),
        "ZeroPadding1D": _writer(_zero_padding(1)),
        "ZeroPadding2D": _writer(_zero_padding(2)),
        "Cropping1D": _writer(_cropping(1)),
        "Cropping2D": _writer(_cropping(2)),
        "UpSampling1D": _writer(_up_sampling(1)),
        "UpSampling2D": _writer(_up_sampling(2)),
        "Rescaling": _writer(_rescaling, any_rank=True),
        "Identity": _writer(_same, any_rank=True, how="left out: it changes nothing"),
        "ActivityRegularization": _writer(_same, any_rank=True, how="left out: it only adds to the loss of training"),
        "Masking": _masking,
    }
)
