"""A live Keras model, read by its config and its weights; nothing of it is called or changed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from frameworks.errors import InvalidValueError
from frameworks.files.given_options import GivenOptions
from frameworks.files.keras.architecture import Architecture
from frameworks.files.keras.config import Node, walk
from frameworks.files.keras.layers import Reading, RowWeights, read_layer
from frameworks.files.keras.version import Version
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.untrusted.source import StoredArray
from frameworks.kinds import KERAS

_FRAMEWORKS = ("keras", "tf_keras")


def is_live(model: Any) -> bool:
    """Return whether an object is a live model of Keras; none is if Keras has not been imported."""
    modules = (sys.modules.get(name) for name in _FRAMEWORKS)
    return any(module is not None and isinstance(model, module.Model) for module in modules)


def read_live(model: Any, given: GivenOptions) -> tuple[Architecture, list[StoredLayer | OtherLayer]]:
    """Return the architecture of a live model, and its layers with views of their weights.

    Args:
        model: a model of Keras or tf_keras.
        given: the user's options.

    Raises:
        GatewiseError: for a model that is a class of its own, and for one that is not built.
    """
    keras = next(module for name in _FRAMEWORKS if (module := sys.modules.get(name)) and isinstance(model, module.Model))
    name = str(model.name)
    config = _config_of(model, name)
    entry = {**config, "keras_version": keras.__version__}
    version = Version(str(keras.__version__))
    reading = Reading(name, version, given)
    nodes = walk(entry, name, lambda *_: "", keras2=version.is_keras2)
    layers = [
        read_layer(node, RowWeights(_weights_at(model, node)), reading)
        for node in nodes
        if KERAS.get(node.class_name).role != "input"
    ]
    return Architecture(entry, version, name), layers


def _config_of(model: Any, name: str) -> Mapping[str, Any]:
    """Return the serialised model, as its file would hold it."""
    try:
        config = model.get_config()
    except (NotImplementedError, TypeError, ValueError):
        config = {}
    if not isinstance(config, Mapping) or not config.get("layers"):
        raise InvalidValueError.because(
            f"the model {name}",
            must="be a Sequential or functional model",
            but=f"is a {type(model).__name__}, whose call is code and states no graph",
            remedy="Build it again as keras.Model(inputs, outputs) with the same layers, or port its layers one at a time.",
        )
    if not model.built:
        raise InvalidValueError.because(
            f"the model {name}", must="be built", but="has no weights yet", remedy="Call it once, or add a keras.Input."
        )
    parsed: Mapping[str, Any] = json.loads(model.to_json())
    return parsed


def _weights_at(model: Any, node: Node) -> dict[str, StoredArray]:
    """Return the weights of a layer of the config; an operation, which is no layer of the model, has none."""
    layer = _found(model, node.name.split("/"))
    if layer is None and "trainable" in node.config:
        raise InvalidValueError.because(
            f"the layer {node.name}",
            must="be in the live model",
            but="is only in its config",
            remedy="Save the model with Keras, and pass the path of the file.",
        )
    weights = [] if layer is None else layer.weights
    return {f"{place}/{getattr(each, 'path', each.name)}": _stored(each) for place, each in enumerate(weights)}


def _found(model: Any, names: list[str]) -> Any:
    """Return a layer by the names of the models and wrappers around it, which may contain slashes; None if it is not there."""
    for end in range(len(names), 0, -1):
        for layer in _layers_of(model):
            if layer.name == "/".join(names[:end]):
                found = layer if end == len(names) else _found(layer, names[end:])
                if found is not None:
                    return found
    return None


def _layers_of(model: Any) -> Any:
    while not hasattr(model, "layers") and hasattr(model, "layer"):
        model = model.layer
    return getattr(model, "layers", ())


def _stored(variable: Any) -> StoredArray:
    """Return a variable as a stored array; it is read when it is used."""
    dtype = np.dtype(str(getattr(variable.dtype, "name", variable.dtype)))

    def read_into(start: int, buffer: memoryview) -> None:
        array = np.ascontiguousarray(_array(variable))
        buffer[:] = array.reshape(-1).view(np.uint8).data[start : start + len(buffer)]

    return StoredArray(tuple(variable.shape), dtype, read_into)


def _array(variable: Any) -> Any:
    value = getattr(variable, "value", variable)
    value = value() if callable(value) else value
    detached = value.detach().cpu() if hasattr(value, "detach") else value
    return np.asarray(detached)
