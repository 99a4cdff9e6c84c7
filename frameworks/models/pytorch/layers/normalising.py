"""Normalising layers in torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from frameworks.files.writing.blocks import Tensor as Blocks
from frameworks.files.writing.blocks import unchanged
from frameworks.models.graph import Graph, Layer
from frameworks.models.pytorch.layers.given import Given, arguments, constant, is_frozen_in
from frameworks.models.pytorch.pieces import Helper, Piece, Site, Target, Writer

_MASKED = Helper(
    "masked_batch_norm",
    '''\
def masked_batch_norm(x, norm, mask):
    """Normalise by the mean and variance of the steps that the mask keeps; x is (batch, ..., features)."""
    steps = x[mask]
    scale = torch.rsqrt(steps.var(dim=0, unbiased=False) + norm.eps) * norm.weight
    return (x - steps.mean(dim=0)) * scale + norm.bias''',
)


def axes_of(given: Given, rank: int) -> tuple[int, ...]:
    """Return the axes that the option `axis` states, counted from the front."""
    return tuple(sorted(each % rank for each in _stated_axes(given)))


def _stated_axes(given: Given) -> tuple[int, ...]:
    axis = given["axis"]
    return tuple(axis) if isinstance(axis, (list, tuple)) else (axis,)


def _scaled(given: Given, shape: tuple[int, ...], *, optional: bool = False) -> tuple[dict[str, Blocks], list[str]]:
    """Return weight and bias of a module that needs both, and the names of those that the layer lacks.

    Args:
        given: the layer.
        shape: the shape of each array.
        optional: whether the module can do without the bias, or without both.
    """
    names = {"gamma": "weight", "beta": "bias"}
    arrays = {here: unchanged(given.stored[name]) for name, here in names.items() if name in given.stored}
    lacking = [here for here in names.values() if here not in arrays]
    if optional and lacking in (["bias"], ["weight", "bias"]):
        return arrays, lacking
    dtype = next((each.dtype for each in given.stored.values()), "float32")
    return {here: arrays.get(here) or constant(float(here == "weight"), shape, dtype) for here in names.values()}, []


def _lacks(given: Given) -> str:
    """Describe the constants that stand for arrays which the layer lacks."""
    lacking = [f"{name} stays {value}" for name, value in (("gamma", 1), ("beta", 0)) if name not in given.stored]
    return f": {' and '.join(lacking)}" if lacking else ""


def _batch_norm(layer: Layer, graph: Graph, target: Target) -> Piece:
    given = Given(layer, graph, target)
    size = given.stored["moving_mean"].shape[0]
    arrays, _ = _scaled(given, (size,))
    arrays |= {
        "running_mean": unchanged(given.stored["moving_mean"]),
        "running_var": unchanged(given.stored["moving_variance"]),
        "num_batches_tracked": constant(0, (), "int64"),
    }
    momentum = round(1 - given["momentum"], 12)
    named: dict[str, tuple[object, object]] = {"eps": (given["epsilon"], 1e-5), "momentum": (momentum, 0.1)}
    calls = graph.calls_of(layer.name)
    always = any(each.kwargs.get("training") is True for each in calls) and layer.trainable
    masked = any(each.mask is not None for each in calls)
    how = f"momentum and epsilon of Keras{_lacks(given)}"
    how += ", by the statistics of the batch at inference too, since the model calls it with training=True" if always else ""
    how += "; Keras leaves masked steps out of the statistics in training" if masked and not always else ""
    rank = 2 if given.shape is None and not always else given.rank()
    module = f"nn.BatchNorm{1 if rank < 4 else rank - 2}d({arguments(size, **named)})"
    call = _flattened(given) if given.shape is None else _batch_norm_call(given, rank)
    return Piece(call, module, arrays, how, (_MASKED,) if always and masked else ())


def _batch_norm_call(given: Given, rank: int) -> Callable[[Site], str]:
    (axis,) = axes_of(given, rank)
    before, after = ("", "") if axis == 1 else (f".movedim({axis - rank}, 1)", f".movedim(1, {axis - rank})")
    before, after = (".transpose(1, 2)",) * 2 if (rank, axis) == (3, 2) else (before, after)

    def call(site: Site) -> str:
        norm, x = site.module, f"{site.x}{before}"
        if not site.training or is_frozen_in(site):
            return f"{norm}({x}){after}"
        if site.call.mask is not None and axis == rank - 1:
            return f"masked_batch_norm({site.x}, {norm}, {site.mask})"
        return f"F.batch_norm({x}, None, None, {norm}.weight, {norm}.bias, training=True, eps={norm}.eps){after}"

    return call


def _flattened(given: Given) -> Callable[[Site], str]:
    """Return the call for a tensor of an unknown number of axes: all but the features become one."""
    (axis,) = _stated_axes(given)

    def call(site: Site) -> str:
        x = site.x if axis == -1 else f"{site.x}.movedim({axis}, -1)"
        made = f"{site.module}({x}.flatten(0, -2)).unflatten(0, {x}.shape[:-1])"
        return made if axis == -1 else f"{made}.movedim(-1, {axis})"

    return call


def _layer_norm(layer: Layer, graph: Graph, target: Target) -> Piece:
    given = Given(layer, graph, target)
    stored = next(iter(given.stored.values()), None)
    rank = 2 if given.shape is None and _stated_axes(given) == (-1,) and stored is not None else given.rank()
    axes = axes_of(given, rank)
    shape = tuple(stored.shape) if stored is not None else tuple(given.shape[axis] or 0 for axis in axes)  # type: ignore[index]
    arrays, lacking = _scaled(given, shape, optional=True)
    affine: dict[str, tuple[object, object]] = {
        "elementwise_affine": (len(lacking) != 2, True),
        "bias": (lacking != ["bias"], True),
    }
    size = shape[0] if len(shape) == 1 else shape
    module = f"nn.LayerNorm({arguments(size, eps=(given['epsilon'], 1e-5), **affine)})"
    last = tuple(range(rank - len(axes), rank))

    def call(site: Site) -> str:
        if axes == last:
            return f"{site.module}({site.x})"
        here, there = (axes[0], -1) if len(axes) == 1 else (axes, tuple(each - rank for each in last))
        return f"{site.module}({site.x}.movedim({here}, {there})).movedim({there}, {here})"

    return Piece(call, module, arrays, f"epsilon of Keras{'' if lacking else _lacks(given)}", any_rank=False)


def _group_norm(layer: Layer, graph: Graph, target: Target) -> Piece:
    given = Given(layer, graph, target)
    (axis,) = _stated_axes(given)
    axis = axis if given.shape is None or axis % len(given.shape) == 1 else axis % len(given.shape) - len(given.shape)
    stored = next(iter(given.stored.values()), None)
    size = int(stored.shape[0] if stored is not None else (given.shape or (0,) * given.rank())[axis] or 0)
    arrays, _ = _scaled(given, (size,)) if stored is not None else ({}, [])
    groups = size if given["groups"] == -1 else given["groups"]
    named: dict[str, tuple[object, object]] = {"eps": (given["epsilon"], 1e-5), "affine": (bool(arrays), True)}
    module = f"nn.GroupNorm({arguments(groups, size, **named)})"
    is_second = axis == 1 or (given.shape is not None and axis % len(given.shape) == 1)

    def call(site: Site) -> str:
        if is_second:
            return f"{site.module}({site.x})"
        return f"{site.module}({site.x}.movedim({axis}, 1)).movedim(1, {axis})"

    return Piece(call, module, arrays, f"epsilon of Keras{_lacks(given) if arrays else ''}")


def _unit(layer: Layer, graph: Graph, target: Target) -> Piece:
    axis = Given(layer, graph, target)["axis"]
    dim = (
        tuple(axis)
        if isinstance(axis, (list, tuple)) and len(axis) > 1
        else (axis[0] if isinstance(axis, (list, tuple)) else axis)
    )
    return Piece(lambda site: f"F.normalize({site.x}, dim={dim})", any_rank=dim == -1)


WRITERS: Mapping[str, Writer] = MappingProxyType(
    {
        "BatchNormalization": _batch_norm,
        "LayerNormalization": _layer_norm,
        "GroupNormalization": _group_norm,
        "UnitNormalization": _unit,
    }
)
