"""Activations in torch, as expressions: by name, and as layers."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from frameworks.activations import KERAS2_NAMES
from frameworks.errors import NoCounterpartError
from frameworks.families import FAMILIES, split_name
from frameworks.files.keras.activations import words_of
from frameworks.files.writing.blocks import unchanged
from frameworks.models.graph import Graph, Layer
from frameworks.models.pytorch.layers.given import Given, arguments
from frameworks.models.pytorch.layers.given import reshaped as as_shape
from frameworks.models.pytorch.pieces import Helper, Piece, Site, Target, Writer

_SPARSEMAX = Helper(
    "sparsemax",
    '''\
def sparsemax(x):
    """Compute sparsemax along the last axis as Keras does: its threshold adds up all supported running sums."""
    ordered = x.sort(dim=-1, descending=True).values
    sums = ordered.cumsum(-1)
    supported = ordered - (sums - 1) / torch.arange(1, x.shape[-1] + 1, dtype=x.dtype, device=x.device) > 0
    threshold = (torch.where(supported, sums, 0).sum(-1, keepdim=True) - 1) / supported.sum(-1, keepdim=True)
    return torch.relu(x - threshold)''',
)
_SPARSE_PLUS = Helper(
    "sparse_plus",
    """\
def sparse_plus(x):
    return torch.where(x <= -1, 0, torch.where(x < 1, (x + 1) ** 2 / 4, x))""",
)
_SQUAREPLUS = Helper(
    "squareplus",
    """\
def squareplus(x):
    return (x + torch.sqrt(x * x + 4)) / 2""",
)
_SHIFTED_RELU = Helper(
    "shifted_relu",
    '''\
def shifted_relu(x, negative_slope, max_value, threshold):
    """Return x between threshold and max_value, at most max_value, and negative_slope * (x - threshold) below."""
    return torch.where(x > threshold, x.clamp(max=max_value), negative_slope * (x - threshold))''',
)

BY_NAME: Mapping[str, str] = MappingProxyType(
    {
        "linear": "{x}",
        "tanh": "torch.tanh({x})",
        "sigmoid": "torch.sigmoid({x})",
        "hard_sigmoid": "F.hardsigmoid({x})",
        "keras2_hard_sigmoid": "torch.clamp(0.2 * {atom} + 0.5, 0, 1)",
        "relu": "torch.relu({x})",
        "relu6": "F.relu6({x})",
        "leaky_relu": "F.leaky_relu({x}, 0.2)",
        "elu": "F.elu({x})",
        "celu": "torch.celu({x})",
        "selu": "torch.selu({x})",
        "softplus": "F.softplus({x})",
        "softsign": "F.softsign({x})",
        "silu": "F.silu({x})",
        "hard_silu": "F.hardswish({x})",
        "hard_tanh": "F.hardtanh({x})",
        "tanh_shrink": "F.tanhshrink({x})",
        "gelu": "F.gelu({x})",
        "glu": "F.glu({x})",
        "mish": "F.mish({x})",
        "exponential": "torch.exp({x})",
        "log_sigmoid": "F.logsigmoid({x})",
        "softmax": "torch.softmax({x}, dim=-1)",
        "log_softmax": "torch.log_softmax({x}, dim=-1)",
        "hard_shrink": "F.hardshrink({x})",
        "soft_shrink": "F.softshrink({x})",
        "sparse_plus": "sparse_plus({x})",
        "sparse_sigmoid": "torch.clamp(({x} + 1) / 2, 0, 1)",
        "sparsemax": "sparsemax({x})",
        "squareplus": "squareplus({x})",
    }
)
"""By the names in `frameworks.activations`; `{atom}` stands for the argument where an operator acts on it."""

_OF_FAMILIES: Mapping[str, str] = MappingProxyType(
    {
        "affine": "({0} * {atom} + {1})",
        "elu": "F.elu({x}, {0})",
        "hard_sigmoid": "torch.clamp({0} * {atom} + {1}, 0, 1)",
        "leaky_relu": "F.leaky_relu({x}, {0})",
        "scaled_tanh": "{0} * torch.tanh({1} * {atom})",
        "thresholded_relu": "F.threshold({x}, {0}, 0)",
    }
)
"""By the families of `frameworks.families`, with their numbers."""

LOWERED = Helper(
    "lowered",
    '''\
def lowered(x, hidden):
    """Put the hidden numbers so far below all others that a softmax makes nothing of them."""
    return torch.where(hidden, x - min(1e9, torch.finfo(x.dtype).max), x)''',
)

_HELPERS = {each.name: each for each in (_SPARSEMAX, _SPARSE_PLUS, _SQUAREPLUS, _SHIFTED_RELU)}
_ALIASES = {"swish": "silu", "hard_swish": "hard_silu"}


def activated(expression: str, activation: Any, version: tuple[int, ...] = (3,)) -> str:
    """Return an expression with an activation applied.

    Args:
        expression: the expression of a tensor.
        activation: what a config states: a name, None, or a serialised function or layer.
        version: the version of Keras that wrote it, as numbers.

    Raises:
        NoCounterpartError: for a function that is not one of Keras.
    """
    return _filled(_template(activation, version), expression)


def helpers_of(activation: Any, version: tuple[int, ...] = (3,)) -> tuple[Helper, ...]:
    """Return the helpers that the expression of an activation calls."""
    return _called_in(_template(activation, version))


def _template(activation: Any, version: tuple[int, ...]) -> str:
    if isinstance(activation, Mapping):
        config, kind = activation.get("config"), str(activation.get("class_name"))
        if kind in _OF_LAYERS and isinstance(config, Mapping) and not activation.get("registered_name"):
            layer = Layer("activation", kind, config)
            return _OF_LAYERS[kind](Given(layer, Graph("", "", {}, (), (), ()), Target(version=version)))
        activation = (
            config if kind == "function" and activation.get("module") in (None, "builtins", "keras.activations") else activation
        )
    name = _ALIASES.get(str(activation), str(activation)) if activation is not None else "linear"
    name = KERAS2_NAMES.get(name, name) if version < (3,) else name
    if isinstance(activation, Mapping) or (name not in BY_NAME and name.partition("(")[0] not in FAMILIES):
        raise NoCounterpartError.because(
            f"activation {words_of(activation)}",
            must="be a built-in activation of Keras",
            but="its code is not in the file",
            remedy="Save the model with activation='linear' there, and apply the function in the source.",
        )
    if name in BY_NAME:
        return BY_NAME[name]
    family, numbers = split_name(name)
    return _OF_FAMILIES[family].format(*numbers, x="{x}", atom="{atom}")


def _filled(template: str, expression: str) -> str:
    is_atom = isinstance(ast.parse(expression, mode="eval").body, (ast.Name, ast.Call, ast.Attribute, ast.Subscript))
    return template.format(x=expression, atom=expression if is_atom else f"({expression})")


def _called_in(template: str) -> tuple[Helper, ...]:
    return tuple(helper for name, helper in _HELPERS.items() if template.startswith(f"{name}("))


def _relu(given: Given) -> str:
    top, slope, threshold = given["max_value"], given["negative_slope"] or 0.0, given["threshold"] or 0.0
    if top is None and not threshold:
        return f"F.leaky_relu({{x}}, {slope})" if slope else "torch.relu({x})"
    if not slope and not threshold:
        return "F.relu6({x})" if top == 6 else f"torch.clamp({{x}}, 0, {top})"
    if not slope and top is None:
        return f"F.threshold({{x}}, {threshold}, 0)"
    return f"shifted_relu({{x}}, {slope}, {'math.inf' if top is None else top}, {threshold})"


def _softmax(given: Given) -> str:
    axis = given["axis"]
    axes = tuple(axis) if isinstance(axis, (list, tuple)) else (-1 if axis is None else axis,)
    if len(axes) == 1:
        return f"torch.softmax({{x}}, dim={axes[0]})"
    return f"torch.exp({{x}} - torch.logsumexp({{x}}, dim={axes}, keepdim=True))"


_OF_LAYERS: Mapping[str, Callable[[Given], str]] = MappingProxyType(
    {
        "Activation": lambda given: _template(given["activation"], given.version),
        "ReLU": _relu,
        "LeakyReLU": lambda given: f"F.leaky_relu({{x}}, {given['negative_slope']})",
        "ELU": lambda given: "F.elu({x})" if given["alpha"] == 1 else f"F.elu({{x}}, {given['alpha']})",
        "ThresholdedReLU": lambda given: f"F.threshold({{x}}, {given['theta']}, 0)",
        "Softmax": _softmax,
    }
)
"""The template of each layer that applies a function."""


def _function(layer: Layer, graph: Graph, target: Target) -> Piece:
    template = _OF_LAYERS[layer.kind](Given(layer, graph, target))
    return Piece(lambda site: _filled(template, site.x), helpers=_called_in(template), any_rank=layer.kind != "Softmax")


def _masked_softmax(layer: Layer, graph: Graph, target: Target) -> Piece:
    template = _OF_LAYERS[layer.kind](Given(layer, graph, target))

    def call(site: Site) -> str:
        if "mask" in site.kwargs:
            mask = site.kwargs["mask"]
        elif site.call.mask is None:
            return _filled(template, site.x)
        else:
            mask = site.mask
        if target.version < (3,):
            return _filled(template, f"lowered({site.x}, ~{mask})")
        masked = _filled(template, f"{site.x}.masked_fill(~{mask}, torch.finfo({site.x}.dtype).min)")
        return f"torch.where({mask}, {masked}, 0.0)"

    return Piece(call, helpers=(LOWERED,))


def _prelu(layer: Layer, graph: Graph, target: Target) -> Piece:
    given = Given(layer, graph, target)
    alpha = given.stored["alpha"]
    size = max(alpha.shape, default=1)
    if alpha.shape == (size,) or size == 1:
        module = f"nn.PReLU({arguments(size) if size > 1 else ''})"
        return Piece(lambda site: f"{site.module}({site.x})", module, {"weight": as_shape(unchanged(alpha), (size,))})
    return Piece(
        lambda site: f"{site.module}({site.x})",
        f"ElementwisePReLU{alpha.shape}",
        {"weight": unchanged(alpha)},
        how="a slope for each number, where nn.PReLU has one for each channel",
        helpers=(_PRELU,),
    )


_PRELU = Helper(
    "ElementwisePReLU",
    '''\
class ElementwisePReLU(nn.Module):
    """PReLU with a slope for each number, or for the axes of its shape that are not 1."""

    def __init__(self, *shape):
        super().__init__()
        self.weight = nn.Parameter(torch.full(shape, 0.25))

    def forward(self, x):
        return torch.where(x > 0, x, self.weight * x)''',
)

WRITERS: Mapping[str, Writer] = MappingProxyType(
    {**dict.fromkeys(_OF_LAYERS, _function), "Softmax": _masked_softmax, "PReLU": _prelu}
)
