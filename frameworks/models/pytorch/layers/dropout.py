"""Dropout and noise in torch. A call with `training=True` is active at inference, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from frameworks.models.graph import Graph, Layer
from frameworks.models.pytorch.layers.given import Given
from frameworks.models.pytorch.pieces import Helper, Piece, Site, Target, Writer

_ALWAYS = "active at inference too, since the model calls it with training=True"

_SHARED_DROPOUT = Helper(
    "shared_dropout",
    '''\
def shared_dropout(x, p, shape):
    """Drop numbers that share an axis of size 1 in shape together; None in shape stands for the size in x."""
    sizes = [size if given is None else given for size, given in zip(x.shape, shape)]
    return x * F.dropout(torch.ones(sizes, dtype=x.dtype, device=x.device), p)''',
)
_SHARED_ALPHA_DROPOUT = Helper(
    "shared_alpha_dropout",
    '''\
def shared_alpha_dropout(x, p, shape):
    """Drop as F.alpha_dropout does, numbers that share an axis of size 1 in shape together."""
    sizes = [size if given is None else given for size, given in zip(x.shape, shape)]
    kept = torch.rand(sizes, device=x.device) >= p
    dropped = -1.7580993408473766
    scale = ((1 - p) * (1 + p * dropped**2)) ** -0.5
    return scale * torch.where(kept, x, dropped) - scale * dropped * p''',
)
_GAUSSIAN_DROPOUT = Helper(
    "gaussian_dropout",
    '''\
def gaussian_dropout(x, p):
    """Multiply by noise around 1, whose variance is p / (1 - p)."""
    return x * (1 + math.sqrt(p / (1 - p)) * torch.randn_like(x))''',
)
_GAUSSIAN_NOISE = Helper(
    "gaussian_noise",
    """\
def gaussian_noise(x, std):
    return x + std * torch.randn_like(x)""",
)


def _off(rate: float) -> Piece | None:
    """Return the piece of a layer that never does anything."""
    return None if rate else Piece(lambda site: site.x, how="left out: its rate is 0", any_rank=True)


def _native(module: str, function: str, around: Callable[[Given], tuple[str, str]] | None = None) -> Writer:
    """Return the writer of a layer that a module of torch holds, and a function of it for calls that are always active."""

    def write(layer: Layer, graph: Graph, target: Target) -> Piece:
        given = Given(layer, graph, target)
        rate = given["rate"]
        before, after = around(given) if around else ("", "")

        def call(site: Site) -> str:
            x = f"{site.x}{before}"
            return f"F.{function}({x}, {rate}, training=True){after}" if site.training else f"{site.module}({x}){after}"

        always = _always(layer, graph)
        made = Piece(call, "" if always else f"nn.{module}({rate})", how=_ALWAYS if always else "as it is", any_rank=not around)
        return _off(rate) or made

    return write


def _written(name: str, helper: Helper, *options: str) -> Writer:
    """Return the writer of a layer that a function of the source computes while the model is trained."""

    def write(layer: Layer, graph: Graph, target: Target) -> Piece:
        given = Given(layer, graph, target)
        values = [given[name], *(tuple(given[option]) for option in options)]

        def call(site: Site) -> str:
            noisy = f"{helper.name}({', '.join([site.x, *map(repr, values)])})"
            return noisy if site.training else f"{noisy} if self.training else {site.x}"

        how = _ALWAYS if _always(layer, graph) else "a function, which torch lacks"
        return _off(values[0]) or Piece(call, how=how, helpers=(helper,), any_rank=not options)

    return write


def _always(layer: Layer, graph: Graph) -> bool:
    calls = graph.calls_of(layer.name)
    return bool(calls) and all(call.kwargs.get("training") is True for call in calls)


def _by_noise_shape(plain: Writer, shared: Writer) -> Writer:
    def write(layer: Layer, graph: Graph, target: Target) -> Piece:
        shape: Any = Given(layer, graph, target)["noise_shape"]
        return (plain if shape is None else shared)(layer, graph, target)

    return write


def _steps_last(_: Given) -> tuple[str, str]:
    return ".transpose(1, 2)", ".transpose(1, 2)"


def _channels_second(given: Given) -> tuple[str, str]:
    return ("", "") if given.channels_first else (".movedim(-1, 1)", ".movedim(1, -1)")


WRITERS: Mapping[str, Writer] = MappingProxyType(
    {
        "Dropout": _by_noise_shape(_native("Dropout", "dropout"), _written("rate", _SHARED_DROPOUT, "noise_shape")),
        "AlphaDropout": _by_noise_shape(
            _native("AlphaDropout", "alpha_dropout"), _written("rate", _SHARED_ALPHA_DROPOUT, "noise_shape")
        ),
        "SpatialDropout1D": _native("Dropout1d", "dropout1d", _steps_last),
        "SpatialDropout2D": _native("Dropout2d", "dropout2d", _channels_second),
        "GaussianDropout": _written("rate", _GAUSSIAN_DROPOUT),
        "GaussianNoise": _written("stddev", _GAUSSIAN_NOISE),
    }
)
