"""Operations between layers, under the names of today's functions in `keras.ops`, whatever version wrote them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from frameworks.files.keras.config import Config, snake
from frameworks.kinds import KERAS
from frameworks.models.graph import Layer

_MODULE = re.compile(r"keras(\.src)?\.ops(\..*)?")
_OLD = ("TFOpLambda", "SlicingOpLambda")

_TENSORFLOW: Mapping[str, tuple[str, tuple[str, ...], Mapping[str, str]]] = MappingProxyType(
    {
        **{name: ("multiply", ("x", "y"), {}) for name in ("math.multiply", "multiply")},
        **{name: ("add", ("x", "y"), {}) for name in ("math.add", "add", "__operators__.add")},
        **{name: ("subtract", ("x", "y"), {}) for name in ("math.subtract", "subtract")},
        **{name: ("divide", ("x", "y"), {}) for name in ("math.truediv", "math.divide", "truediv", "divide")},
        **{name: ("not_equal", ("x", "y"), {}) for name in ("math.not_equal", "not_equal")},
        **{
            name: ("mean", ("input_tensor",), {"axis": "axis", "keepdims": "keepdims"})
            for name in ("reduce_mean", "math.reduce_mean")
        },
        "concat": ("concatenate", ("values",), {"axis": "axis"}),
        "expand_dims": ("expand_dims", ("input",), {"axis": "axis"}),
        "squeeze": ("squeeze", ("input",), {"axis": "axis"}),
        "reshape": ("reshape", ("tensor",), {"shape": "newshape"}),
        "cast": ("cast", ("x",), {"dtype": "dtype"}),
        "__operators__.getitem": ("get_item", ("tensor", "slice_spec"), {}),
    }
)


def is_operation(entry: Mapping[str, Any], config: Config, *, is_keras2: bool) -> bool:
    """Return whether a serialised layer is an operation; an operation of Keras 3 may have the class name of a layer."""
    if is_keras2:
        return entry.get("class_name") in _OLD
    module = entry.get("module")
    if isinstance(module, str):
        return _MODULE.fullmatch(module) is not None
    kind = KERAS.get(str(entry.get("class_name")))
    return "name" in config and "trainable" not in config and (kind.operation or kind.name not in KERAS.kinds)


def operation_of(name: str, entry: Mapping[str, Any], config: Config) -> Layer:
    """Return an operation as a layer without weights."""
    function = config.get("function")
    if entry.get("class_name") not in _OLD:
        return Layer(name, f"ops.{snake(str(entry.get('class_name')))}", config)
    known = _TENSORFLOW.get(str(function))
    if known is None:
        return Layer(name, f"ops.{function}", config, gap=f"gatewise does not know TensorFlow's {function}")
    return Layer(name, f"ops.{known[0]}", config)


def operation_called(layer: Layer, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """Return the arguments with which a call of today's function computes the operation."""
    function = layer.config.get("function")
    if not isinstance(function, str):
        own = {name: value for name, value in layer.config.items() if name != "name"}
        args, kwargs = args, {**own, **kwargs}
        return _keyed(layer, args), kwargs
    if layer.gap:
        return args, kwargs
    _, tensors, options = _TENSORFLOW[function]
    positional = [*args, *(kwargs[name] for name in tensors[1:] if name in kwargs)]
    return _keyed(layer, positional), {options[name]: value for name, value in kwargs.items() if name in options and value is not None}


def _keyed(layer: Layer, args: Sequence[Any]) -> Sequence[Any]:
    """Return arguments with the key of `x[key]` as a tuple, which JSON writes as a list."""
    if layer.kind == "ops.get_item" and len(args) == 2 and isinstance(args[1], list):
        return args[0], tuple(args[1])
    return args
