"""Functions of `keras.ops` of single numbers or products, with options, in torch; each with Keras's signature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from frameworks.models.pytorch.dtypes import FLOATING
from frameworks.models.pytorch.operations.constants import cast, dtype_of, operand, plain, refused, subscripts_of, tensors
from frameworks.models.pytorch.pieces import Name, literal


def _last_axis(function: str) -> Callable[..., str]:
    def write(x: Any, axis: Any = -1) -> str:
        if axis != -1:
            raise refused(f"axis={axis}")
        return f"{function}({x})"

    return write


def _squareplus(x: Any, b: Any = 4) -> str:
    if b != 4:
        raise refused(f"b={b}")
    return f"squareplus({x})"


def _limit(function: str, bound: str) -> Callable[..., str]:
    def write(x1: Any, x2: Any) -> str:
        for one, other in ((x1, x2), (x2, x1)):
            if isinstance(one, (int, float)):
                return f"torch.clamp({other}, {bound}={literal(one)})"
        return f"torch.{function}({operand(x1, x2)}, {operand(x2, x1)})"

    return write


def _clip(x: Any, x_min: Any, x_max: Any) -> str:
    return f"torch.clamp({x}, {literal(x_min)}, {literal(x_max)})"


def _like(function: str) -> Callable[..., str]:
    def write(x: Any, dtype: Any = None) -> str:
        return f"torch.{function}({x}{f', dtype={dtype_of(dtype)}' if dtype else ''})"

    return write


def _full_like(x: Any, fill_value: Any, dtype: Any = None) -> str:
    return f"torch.full_like({x}, {literal(fill_value)}{f', dtype={dtype_of(dtype)}' if dtype else ''})"


def _where(condition: Any, x1: Any = None, x2: Any = None) -> str:
    beside = next((each for each in (x1, x2) if isinstance(each, Name)), Name(f"{condition}.to({FLOATING})"))
    where = f"torch.where({condition}, {operand(x1, beside)}, {operand(x2, beside)})"
    plain_numbers = [each for each in (x1, x2) if isinstance(each, (int, float))]
    return cast(where, Name(FLOATING)) if len(plain_numbers) == 2 and any(map(_is_float, plain_numbers)) else where


def _is_float(value: Any) -> bool:
    return isinstance(value, float)


_PRODUCTS = {
    '"...ij,...jk->...ik"': "{} @ {}",
    '"...ij,...kj->...ik"': "{} @ {}.transpose(-2, -1)",
    '"...ji,...jk->...ik"': "{}.transpose(-2, -1) @ {}",
    '"...ji,...kj->...ik"': "{}.transpose(-2, -1) @ {}.transpose(-2, -1)",
}
"""Products of matrices among the einsums, as torch writes them."""


def _einsum(*operands: Any, subscripts: Any = None) -> str:
    subscripts, operands = subscripts_of(operands, subscripts)
    named = tensors(*plain(operands))
    if subscripts in _PRODUCTS:
        return _PRODUCTS[subscripts].format(*named)
    return f"torch.einsum({subscripts}, {', '.join(named)})"


def _tensordot(x1: Any, x2: Any, axes: Any = 2) -> str:
    dims = axes if isinstance(axes, int) else tuple([each] if isinstance(each, int) else list(each) for each in axes)
    first, second = tensors(x1, x2)
    return f"torch.tensordot({first}, {second}, dims={dims})"


def _softmax(function: str) -> Callable[..., str]:
    def write(x: Any, axis: Any = -1) -> str:
        return f"torch.{function}({x}, dim={axis})"

    return write


def _slope(function: str, default: float, name: str) -> Callable[..., str]:
    def write(x: Any, **options: Any) -> str:
        number = options.pop(name, default)
        if options:
            raise refused(", ".join(options))
        return f"F.{function}({x}, {number})"

    return write


def _gelu(x: Any, approximate: Any = True) -> str:  # noqa: FBT002  Keras's signature
    return f'F.gelu({x}, approximate="tanh")' if approximate else f"F.gelu({x})"


def _normalize(x: Any, axis: Any = -1, order: Any = 2, epsilon: Any = None) -> str:
    least = 1e-7 if epsilon is None else epsilon
    return f"F.normalize({x}, {'' if order == 2 else f'p={order}, '}dim={axis}, eps={literal(least)})"


def _one_hot(x: Any, num_classes: Any, axis: Any = -1, dtype: Any = None, sparse: Any = False) -> str:  # noqa: FBT002
    if axis != -1 or sparse:
        raise refused(f"axis={axis} and sparse={sparse}")
    return cast(f"F.one_hot({x}.long(), {num_classes})", dtype or Name(FLOATING))


def _round(x: Any, decimals: Any = 0) -> str:
    return f"torch.round({x}{f', decimals={decimals}' if decimals else ''})"


def _stop_gradient(variable: Any) -> str:
    return f"{variable}.detach()"


WRITTEN: Mapping[str, Callable[..., str]] = MappingProxyType(
    {
        "maximum": _limit("maximum", "min"),
        "minimum": _limit("minimum", "max"),
        "clip": _clip,
        "round": _round,
        "cast": cast,
        "zeros_like": _like("zeros_like"),
        "ones_like": _like("ones_like"),
        "full_like": _full_like,
        "where": _where,
        "einsum": _einsum,
        "tensordot": _tensordot,
        "normalize": _normalize,
        "one_hot": _one_hot,
        "stop_gradient": _stop_gradient,
        "softmax": _softmax("softmax"),
        "log_softmax": _softmax("log_softmax"),
        "sparsemax": _last_axis("sparsemax"),
        "glu": _last_axis("F.glu"),
        "squareplus": _squareplus,
        "gelu": _gelu,
        "leaky_relu": _slope("leaky_relu", 0.2, "negative_slope"),
        "elu": _slope("elu", 1.0, "alpha"),
        "celu": _slope("celu", 1.0, "alpha"),
        "hard_shrink": _slope("hardshrink", 0.5, "threshold"),
        "soft_shrink": _slope("softshrink", 0.5, "threshold"),
    }
)
