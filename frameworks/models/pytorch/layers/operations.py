"""Operations between layers, functions of `keras.ops`, as expressions in torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any


from frameworks.errors import NoCounterpartError
from frameworks.models.graph import Graph, Layer, replaced
from frameworks.models.pytorch.layers import tensor_functions
from frameworks.models.pytorch.layers.activations import BY_NAME, activated, helpers_of
from frameworks.models.pytorch.layers.written import as_tensor, operand
from frameworks.models.pytorch.pieces import Name, Piece, Site, Target, Writer

_OPERATORS = {
    **{"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "true_divide": "/", "floor_divide": "//", "mod": "%"},
    **{"power": "**", "equal": "==", "not_equal": "!=", "greater": ">", "greater_equal": ">=", "less": "<", "less_equal": "<="},
    **{"bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^", "matmul": "@"},
}
_FUNCTIONS_OF_ONE = {
    **{"abs": "abs", "absolute": "abs", "negative": "neg", "reciprocal": "reciprocal", "sign": "sign", "square": "square"},
    **{name: name for name in ("exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sqrt", "rsqrt", "erf", "erfinv")},
    **{name: name for name in ("floor", "ceil", "trunc", "isnan", "isinf", "isfinite", "sin", "cos", "tan", "sinh", "cosh")},
    **{name: name for name in ("arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh")},
    **{"logical_not": "logical_not"},
}
_FUNCTIONS_OF_TWO = {
    **{name: name for name in ("logical_and", "logical_or", "logical_xor", "arctan2", "outer", "logaddexp")},
}
_ACTIVATIONS = {"silu", "swish", "hard_silu", "hard_swish", "softmax", "log_softmax"} | (
    set(BY_NAME) - {"linear", "keras2_hard_sigmoid"}
)
_ACTIVATIONS -= {"exponential"}


def _operator(symbol: str) -> Callable[..., str]:
    def write(x1: Any, x2: Any) -> str:
        return f"{operand(x1, x2)} {symbol} {operand(x2, x1)}"

    return write


def _function(name: str, count: int) -> Callable[..., str]:
    def write_one(x: Any) -> str:
        return f"torch.{name}({x})"

    def write_two(x1: Any, x2: Any) -> str:
        first, second = (value if isinstance(value, Name) else as_tensor(value, beside) for value, beside in ((x1, x2), (x2, x1)))
        return f"torch.{name}({first}, {second})"

    return write_one if count == 1 else write_two


def _activation(name: str) -> Callable[..., str]:
    def write(x: Any) -> str:
        return activated(str(x), name)

    return write


_WRITTEN: Mapping[str, Callable[..., str]] = MappingProxyType(
    {
        **{name: _operator(symbol) for name, symbol in _OPERATORS.items()},
        **{name: _function(here, 1) for name, here in _FUNCTIONS_OF_ONE.items()},
        **{name: _function(here, 2) for name, here in _FUNCTIONS_OF_TWO.items()},
        **{name: _activation(name) for name in _ACTIVATIONS},
        **tensor_functions.WRITTEN,
    }
)
"""By the name of a function of `keras.ops`: a function with its signature, which returns the expression."""


def _operation(layer: Layer, graph: Graph, target: Target) -> Piece:  # noqa: ARG001  one signature for all writers
    name = layer.kind.removeprefix("ops.")
    for call in graph.calls_of(layer.name):
        names = {tensor: Name("x") for tensor in call.reads}
        _expression(layer, replaced(call.args, names), replaced(dict(call.kwargs), names))

    def call_of(site: Site) -> str:
        return _expression(layer, site.args, site.kwargs)

    helpers = helpers_of(name) if name in _ACTIVATIONS else ()
    return Piece(call_of, how="an expression", helpers=helpers)


def _expression(layer: Layer, args: Any, kwargs: Mapping[str, Any]) -> str:
    name = layer.kind.removeprefix("ops.")
    try:
        return _WRITTEN[name](*args, **kwargs)
    except TypeError as error:
        raise NoCounterpartError.because(
            f"keras.ops.{name} in {layer.name!r}",
            must="be called with arguments that the source can carry",
            but=f"is called with others ({error})",
            remedy="Use these arguments in a layer of your own, and write it by hand.",
        ) from error


WRITERS: Mapping[str, Writer] = MappingProxyType(dict.fromkeys((f"ops.{name}" for name in _WRITTEN), _operation))
