"""Operations between layers, under the names of today's functions in `keras.ops`, whatever version wrote them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from frameworks.files.keras.config import Config, snake
from frameworks.files.keras.nodes import Node
from frameworks.kinds import KERAS
from frameworks.models.graph import Layer
from frameworks.models.reading.tensorflow_operations import NODES, TENSORFLOW, Operation, product_of

_TRUE = re.compile(r'"?(\w+)"?\s*:\s*\{\s*"?b"?\s*:\s*true')
_MODULE = re.compile(r"keras(\.src)?\.ops(\..*)?")
_FUNCTIONS = ("TFOpLambda", "SlicingOpLambda")
_NODE = "TensorFlowOpLayer"
OF_KERAS_2 = frozenset((*_FUNCTIONS, _NODE, "ClassMethod", "InstanceMethod", "InstanceProperty"))
"""The classes of operations in Keras 2, whose first argument may be a list of one tensor."""

_NAMES = {"c_dist": "cdist", "rms_norm": "rms_normalization", "layer_norm": "layer_normalization", "is_in": "isin"}
_NAMES |= {"all_close": "allclose", "search_sorted": "searchsorted", "batch_norm": "batch_normalization"}
"""Today's functions whose name is not that of their class."""

_CALLED: Mapping[str, tuple[str, ...]] = {"average": ("x", "weights"), "pad": ("x", "constant_values")}
"""The arguments of a call in Keras 3 where those of the function are in another order."""


def is_operation(entry: Mapping[str, Any], config: Config, *, is_keras2: bool) -> bool:
    """Return whether a serialised layer is an operation; an operation of Keras 3 may have the class name of a layer."""
    if is_keras2:
        return entry.get("class_name") in OF_KERAS_2
    module = entry.get("module")
    if isinstance(module, str):
        return _MODULE.fullmatch(module) is not None
    kind = KERAS.get(str(entry.get("class_name")))
    return "name" in config and "trainable" not in config and (kind.operation or kind.name not in KERAS.kinds)


def operation_of(name: str, entry: Mapping[str, Any], config: Config, nodes: Sequence[Node]) -> Layer:
    """Return an operation as a layer without weights."""
    class_name = str(entry.get("class_name"))
    if class_name not in OF_KERAS_2:
        own = snake(class_name)
        return Layer(name, f"ops.{_NAMES.get(own, own)}", config)
    if class_name == _NODE:
        return _of_graph(name, config)
    function = str(config.get("function", config.get("method_name", config.get("attr_name", class_name))))
    known = _known(function)
    if known is None:
        return Layer(name, f"ops.{function}", config, gap=f"gatewise does not know TensorFlow's {function}")
    for node in nodes:
        lacking, unknown = known.lacks(node.args, node.kwargs), known.unknown(node.kwargs)
        if lacking:
            return Layer(name, f"ops.{known.function}", config, gap=f"the file does not state {lacking} of its {function}")
        if unknown:
            why = f"gatewise does not know TensorFlow's {function} with {unknown}={node.kwargs[unknown]!r}"
            return Layer(name, f"ops.{known.function}", config, gap=why[:300])
    is_einsum = any(known.subscripts(node.kwargs) for node in nodes)
    return Layer(name, "ops.einsum" if is_einsum else f"ops.{known.function}", config)


def operation_called(layer: Layer, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments with which a call of today's function computes the operation."""
    if layer.gap:
        return tuple(args), dict(kwargs)
    if "node_def" in layer.config:
        subscripts = (product_of(_flags(layer.config)),) if layer.kind == "ops.einsum" else ()
        return (*subscripts, *_with_constants(layer.config, args)), {}
    function = layer.config.get("function")
    known = _known(function) if isinstance(function, str) else None
    if known is None:
        own = {name: value for name, value in layer.config.items() if name != "name"}
        names = _CALLED.get(layer.kind.removeprefix("ops."), ())
        named = dict(zip(names[1:], args[1:], strict=False))
        if layer.kind == "ops.einsum":
            args = (own.pop("subscripts", ""), *args)
        return tuple(_keyed(layer, args[:1] if named else args)), {**own, **named, **kwargs}
    tensors = [*args, *(kwargs[name] for name in known.tensors[len(args) :] if name in kwargs)]
    if layer.kind == "ops.einsum":
        return (known.subscripts(kwargs) or "...ij,...jk->...ik", *map(_constant, tensors)), {}
    options = dict(known.defaults)
    options |= {known.options[name]: value for name, value in kwargs.items() if name in known.options and value is not None}
    if known.convert is not None:
        options = known.convert(options)
    return tuple(_keyed(layer, [_constant(each) for each in tensors])), options


def _known(function: str) -> Operation | None:
    return TENSORFLOW.get(function.rpartition(".")[2])


def _of_graph(name: str, config: Config) -> Layer:
    """Return an operation that is a node of TensorFlow's graph."""
    found = re.search(r'"?\bop"?\s*:\s*"(\w+)"', str(config.get("node_def")))
    op = found[1] if found else ""
    constants = config.get("constants", {})
    if op not in NODES or not isinstance(constants, Mapping):
        return Layer(name, f"ops.{op or 'unknown'}", config, gap=f"gatewise does not know TensorFlow's node {op}".rstrip())
    transposes = NODES[op] == "matmul" and _flags(config)
    return Layer(name, "ops.einsum" if transposes else f"ops.{NODES[op]}", config)


def _flags(config: Config) -> dict[str, bool]:
    """Return the attributes that are true of a node of TensorFlow's graph."""
    return dict.fromkeys(_TRUE.findall(str(config.get("node_def"))), True)


def _with_constants(config: Config, args: Sequence[Any]) -> tuple[Any, ...]:
    """Return the inputs of a node, of which a file states the constants by their places."""
    tensors = list(args[0]) if args and isinstance(args[0], list) else list(args)
    for place, value in sorted((int(key), value) for key, value in config.get("constants", {}).items() if str(key).isdecimal()):
        tensors.insert(place, _constant(value))
    return tuple(tensors)


def _constant(value: Any) -> Any:
    """Return a constant tensor as an array; a file of Keras 2 states it as a list of numbers."""
    if not isinstance(value, list) or not value or not _holds_numbers(value):
        return value
    try:
        array = np.asarray(value)
    except ValueError:
        return value
    return array.astype(np.float32) if array.dtype.kind == "f" else array if array.dtype.kind in "ib" else value


def _holds_numbers(value: Any) -> bool:
    """Return whether a nested list holds numbers alone, lists of one length beside each other."""
    if not isinstance(value, list):
        return isinstance(value, (int, float))
    lengths = {len(each) if isinstance(each, list) else -1 for each in value}
    return len(lengths) <= 1 and all(map(_holds_numbers, value))


def _keyed(layer: Layer, args: Sequence[Any]) -> Sequence[Any]:
    """Return arguments with the key of `x[key]` as a tuple, which JSON writes as a list."""
    if layer.kind != "ops.get_item" or len(args) != 2:
        return args
    key = args[1].tolist() if isinstance(args[1], np.ndarray) else args[1]
    return args[0], tuple(key) if isinstance(key, list) else key
