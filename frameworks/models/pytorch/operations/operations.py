"""Operations between layers, functions of `keras.ops`, as expressions in torch."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from frameworks.errors import NoCounterpartError
from frameworks.models.graph import Call, Graph, Layer, replaced
from frameworks.models.pytorch.dtypes import arguments_read
from frameworks.models.pytorch.layers.activations import BY_NAME, activated, helpers_of
from frameworks.models.pytorch.operations import places, reductions, values
from frameworks.models.pytorch.operations.constants import of_model, operand, plain, tensors
from frameworks.models.pytorch.pieces import Name, Piece, Site, Target, Writer
from frameworks.models.pytorch.precision import precision_of

_OPERATORS: Mapping[str, str] = MappingProxyType(
    {
        "add": "+",
        "subtract": "-",
        "multiply": "*",
        "divide": "/",
        "true_divide": "/",
        "floor_divide": "//",
        "mod": "%",
        "power": "**",
        "equal": "==",
        "not_equal": "!=",
        "greater": ">",
        "greater_equal": ">=",
        "less": "<",
        "less_equal": "<=",
        "bitwise_and": "&",
        "bitwise_or": "|",
        "bitwise_xor": "^",
        "matmul": "@",
    }
)
_OF_ONE = [
    "abs",
    "absolute",
    "negative",
    "reciprocal",
    "sign",
    "square",
    "exp",
    "exp2",
    "expm1",
    "log",
    "log1p",
    "log2",
    "log10",
    "sqrt",
    "rsqrt",
    "erf",
    "erfinv",
    "floor",
    "ceil",
    "trunc",
    "isnan",
    "isinf",
    "isfinite",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "arcsin",
    "arccos",
    "arctan",
    "arcsinh",
    "arccosh",
    "arctanh",
    "logical_not",
]
_OF_TWO = ["logical_and", "logical_or", "logical_xor", "arctan2", "outer", "logaddexp"]
_ACTIVATIONS = {"swish", "hard_swish", *BY_NAME} - {"linear", "exponential", "keras2_hard_sigmoid"}


def _operator(symbol: str) -> Callable[..., str]:
    def write(x1: Any, x2: Any) -> str:
        left = operand(x1, x2)
        if symbol == "**" and left.startswith("-"):  # -2 ** x is -(2 ** x)
            left = f"({left})"
        return f"{left} {symbol} {operand(x2, x1)}"

    return write


def _function(name: str, count: int) -> Callable[..., str]:
    def write_one(x: Any) -> str:
        return f"torch.{name}({x})"

    def write_two(x1: Any, x2: Any) -> str:
        first, second = tensors(x1, x2)
        return f"torch.{name}({first}, {second})"

    return write_one if count == 1 else write_two


def _activation(name: str) -> Callable[..., str]:
    def write(x: Any) -> str:
        return activated(str(x), name)

    return write


_WRITTEN: Mapping[str, Callable[..., str]] = MappingProxyType(
    {
        **{name: _operator(symbol) for name, symbol in _OPERATORS.items()},
        **{name: _function(name, 1) for name in _OF_ONE},
        **{name: _function(name, 2) for name in _OF_TWO},
        **{name: _activation(name) for name in _ACTIVATIONS},
        **places.WRITTEN,
        **reductions.WRITTEN,
        **values.WRITTEN,
    }
)
"""By the name of a function of `keras.ops`: a function with its signature, which returns the expression."""


_PARTING = ("split", "unstack")
"""Functions that return a tuple, also of one tensor."""


def _operation(layer: Layer, graph: Graph, target: Target) -> Piece:  # noqa: ARG001  one signature for all writers
    name = layer.kind.removeprefix("ops.")
    for each in graph.calls_of(layer.name):
        names = {tensor: Name("x") for tensor in each.reads}
        _expression(each, graph, replaced(each.args, names), replaced(dict(each.kwargs), names))

    def call_of(site: Site) -> str:
        return _expression(site.call, graph, site.args, site.kwargs)

    helpers = helpers_of(name) if name in _ACTIVATIONS else ()
    return Piece(call_of, how="an expression", helpers=helpers)


def _expression(call: Call, graph: Graph, args: Any, kwargs: Mapping[str, Any]) -> str:
    layer, precision = graph.layers[call.layer], precision_of(graph) or "float32"
    name = layer.kind.removeprefix("ops.")
    try:
        args, kwargs = arguments_read(name, call, args, kwargs, graph)
        if name != "einsum":  # it checks its own text
            args, kwargs = plain(of_model(args, precision)), plain(of_model(kwargs, precision))
        if name == "unstack":
            kwargs = {**kwargs, "num": _read_parts(call, graph)}
        expression = _WRITTEN[name](*args, **kwargs)
        if name in _PARTING and call.outputs == 1:
            expression = f"{expression}[0]"
        ast.parse(expression, mode="eval")
    except (TypeError, SyntaxError) as error:
        raise NoCounterpartError.because(
            f"keras.ops.{name} in {layer.name!r}",
            must="be called with arguments that the source can carry",
            but=f"is called with others ({error})",
            remedy="Compute it otherwise before saving, or put it into a layer of your own and port that by hand.",
        ) from error
    return expression


def _read_parts(call: Call, graph: Graph) -> int | None:
    """Return how many parts of a tensor are read, if it has more of them or its size is not known; None for all or one."""
    shape, axis = graph.shapes.get(call.reads[0]), call.kwargs.get("axis", 0)
    is_whole = shape is not None and type(axis) is int and shape[axis] == call.outputs
    return None if is_whole or call.outputs == 1 else call.outputs


WRITERS: Mapping[str, Writer] = MappingProxyType(dict.fromkeys((f"ops.{name}" for name in _WRITTEN), _operation))
