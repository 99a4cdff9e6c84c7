"""Merging layers in torch: several tensors as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from frameworks.models.graph import Graph, Layer
from frameworks.models.pytorch.layers.given import Given
from frameworks.models.pytorch.pieces import Piece, Site, Statements, Target, Writer


def aligned(site: Site) -> list[str]:
    """Return the merged tensors, with the axes inserted after the batch that Keras adds to those of fewer axes."""
    ranks = [len(shape) if shape is not None else 0 for shape in site.shapes]
    most = max(ranks)
    return [
        str(name) if not rank or rank == most else f"{name}[:, {', '.join(['None'] * (most - rank))}]"
        for name, rank in zip(site.args[0], ranks, strict=True)
    ]


def _merged(join: Callable[[list[str]], str]) -> Writer:
    def write(layer: Layer, graph: Graph, target: Target) -> Piece:  # noqa: ARG001  one signature for all writers
        return Piece(lambda site: join(aligned(site)), any_rank=True)

    return write


def _nested(function: str) -> Callable[[list[str]], str]:
    def join(names: list[str]) -> str:
        joined = names[0]
        for name in names[1:]:
            joined = f"{function}({joined}, {name})"
        return joined

    return join


def _multiply(layer: Layer, graph: Graph, target: Target) -> Piece:
    def call(site: Site) -> str | Statements:
        names = aligned(site)
        if target.version < (3,) or not any(site.call.masks):
            return " * ".join(names)
        steps = [f"{mask}[..., None]" if mask else "" for mask in site.masks]
        product = " * ".join(
            f"torch.where({step}, {name}, 1)" if step else name for name, step in zip(names, steps, strict=True)
        )
        return f"torch.where({' | '.join(steps)}, {product}, 0)" if all(steps) else product

    how = "masked steps count as 1, as in Keras 3" if _has_masks(layer, graph, target) else "as it is"
    return Piece(call, how=how)


def _extreme(function: str) -> Writer:
    """Return the writer of Maximum or Minimum: in Keras 3 a masked step takes what the other input has there."""

    def write(layer: Layer, graph: Graph, target: Target) -> Piece:
        def call(site: Site) -> str | Statements:
            names = aligned(site)
            if target.version < (3,) or not any(site.call.masks):
                return _nested(function)(names)
            return _by_mask(site, names, function)

        how = "a masked step takes what the other input has there, as in Keras 3"
        return Piece(call, how=how if _has_masks(layer, graph, target) else "as it is")

    return write


def _by_mask(site: Site, names: list[str], function: str) -> Statements:
    lines, merged, valid = [], names[0], site.masks[0]
    for name, mask in zip(names[1:], list(site.masks)[1:], strict=True):
        second = f"torch.where({mask}[..., None], {name}, {merged})" if mask else name
        if mask:
            second, line = site.free("other"), second
            lines.append(f"{second} = {line}")
        if valid:
            line, merged = f"torch.where({valid}[..., None], {merged}, {second})", site.free("merged")
            lines.append(f"{merged} = {line}")
        valid = f"({valid} | {mask})" if valid and mask else None
        merged = f"{function}({merged}, {second})"
    return Statements(tuple(lines), (merged,))


def _has_masks(layer: Layer, graph: Graph, target: Target) -> bool:
    return target.version >= (3,) and any(any(call.masks) for call in graph.calls_of(layer.name))


def _concatenate(layer: Layer, graph: Graph, target: Target) -> Piece:
    axis = Given(layer, graph, target)["axis"]
    axis = -1 if axis is None else axis
    return Piece(lambda site: f"torch.cat([{', '.join(site.args[0])}], dim={axis})")


def _dot(layer: Layer, graph: Graph, target: Target) -> Piece:
    given = Given(layer, graph, target)

    def call(site: Site) -> str:
        ranks = [len(shape) if shape is not None else given.rank() for shape in site.shapes]
        axes = given.sizes("axes", 2)
        first, second = (axis % rank for axis, rank in zip(axes, ranks, strict=True))
        x, y = map(str, site.args[0])
        if given["normalize"]:
            x, y = f"F.normalize({x}, dim={first})", f"F.normalize({y}, dim={second})"
        return _product(x, y, ranks, (first, second))

    return Piece(call)


def _product(x: str, y: str, ranks: list[int], axes: tuple[int, int]) -> str:
    """Return the product over one axis of each of two batches, as Keras's batch_dot."""
    if ranks == [2, 2]:
        return f"({x} * {y}).sum(dim=1, keepdim=True)"
    if ranks == [3, 3]:
        left = x if axes[0] == 2 else f"{x}.transpose(1, 2)"
        return f"{left} @ {y if axes[1] == 1 else f'{y}.transpose(1, 2)'}"
    letters = "cdefghijklmn"
    first = ["b", *letters[: ranks[0] - 1]]
    second = ["b", *letters[ranks[0] - 1 : ranks[0] + ranks[1] - 2]]
    first[axes[0]] = second[axes[1]] = "a"
    kept = "".join(each for each in (*first, *second[1:]) if each != "a")
    return f'torch.einsum("{"".join(first)},{"".join(second)}->{kept}", {x}, {y})'


def _average(names: list[str]) -> str:
    return f"({' + '.join(names)}) / {len(names)}"


WRITERS: Mapping[str, Writer] = MappingProxyType(
    {
        "Add": _merged(" + ".join),
        "Subtract": _merged(" - ".join),
        "Average": _merged(_average),
        "Multiply": _multiply,
        "Maximum": _extreme("torch.maximum"),
        "Minimum": _extreme("torch.minimum"),
        "Concatenate": _concatenate,
        "Dot": _dot,
    }
)
