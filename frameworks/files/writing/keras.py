"""The .keras format, written by Keras: one model in which each layer reads an input of its own."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np

from frameworks.files.naming import keras_kind, plain_name
from frameworks.files.others import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.writing.keras_layout import as_keras, class_in_keras, keras_arrays
from frameworks.files.writing.plan import Layer, Written
from frameworks.files.writing.tensors import Tensor
from frameworks.keras.building import untouched_random
from frameworks.registry import quiet_stderr

_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "Embedding": ("mask_zero",),
    "Dense": ("activation",),
    "Conv1D": ("strides", "padding", "dilation_rate", "groups", "activation"),
    "Conv2D": ("strides", "padding", "dilation_rate", "groups", "activation"),
    "LayerNormalization": ("epsilon",),
    "BatchNormalization": ("momentum", "epsilon"),
}
"""What is taken from a file's config of the layers that are rebuilt: plain values, which nothing can be run by."""


def write(path: Path, layers: list[Layer]) -> list[Written]:
    """Build all layers that Keras has, and let Keras save them.

    Raises:
        GatewiseError: for a recurrent layer that Keras has not, or would not build.
    """
    built: list[Any] = []
    written = []
    for layer in layers:
        if isinstance(layer, StoredLayer):
            for one in as_keras(layer):
                native, spec = one.emulate("keras"), one.cells[0][0].spec
                native.name = plain_name(one.name)
                built.append((native, (None, spec.input_size), spec.dtype))
                beware = ("its two biases are in the file as their sum",) * _sums_biases(layer)
                written.append(Written(layer.name, layer.class_name, class_in_keras(one), native.name, beware))
        else:
            found = _beside(layer)
            built += [found] if found else []
            written.append(_tell(layer, found))
    with untouched_random(), quiet_stderr():
        inputs = [keras.Input(shape, dtype=dtype) for _, shape, dtype in built]
        outputs = [native(each) for (native, _, _), each in zip(built, inputs, strict=True)]
        keras.Model(inputs, outputs).save(path)
    return written


def _sums_biases(layer: StoredLayer) -> bool:
    spec = layer.cells[0][0].spec
    return layer.origin == "pytorch" and spec.cell != "gru" and spec.bias


def _beside(layer: OtherLayer) -> tuple[Any, tuple[int | None, ...], str] | None:
    """Build a layer that is not recurrent, with the shape and dtype of its input; None for one that is not known so well."""
    found, kind = keras_arrays(layer), keras_kind(layer.kind)
    if not found or kind not in _ARGUMENTS or layer.wrappers:
        return None
    arrays = {name: _read(tensor) for name, tensor in found.items()}
    with suppress(ValueError, TypeError, LookupError, AttributeError, ArithmeticError):  # Keras's, of a config that lies
        return _build(layer, kind, arrays)
    return None


def _build(layer: OtherLayer, kind: str, arrays: Mapping[str, Any]) -> tuple[Any, tuple[int | None, ...], str]:
    main = next(iter(arrays.values()))
    said = layer.config.get("keras", {}).get("config", {}) if "keras" in layer.config else layer.config
    arguments = {name: said[name] for name in _ARGUMENTS[kind] if _is_plain(said.get(name))}
    native = getattr(keras.layers, kind)(
        **arguments, **_sizes(kind, arrays), name=plain_name(layer.name), dtype=main.dtype.name
    )
    reads = {"Embedding": (None,), "Conv1D": (None, *main.shape[1:2]), "Conv2D": (None, None, *main.shape[2:3])}
    shape = reads.get(kind, (None, main.shape[0]))
    native.build((None, *shape))
    native.set_weights(list(arrays.values()))
    return native, shape, "int32" if kind == "Embedding" else main.dtype.name


def _sizes(kind: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    main = next(iter(arrays.values()))
    if kind == "Embedding":
        return {"input_dim": main.shape[0], "output_dim": main.shape[1]}
    if kind.endswith("Normalization"):
        return {"scale": "gamma" in arrays, "center": "beta" in arrays}
    sizes = {"use_bias": "bias" in arrays, "units" if kind == "Dense" else "filters": main.shape[-1]}
    return sizes if kind == "Dense" else {**sizes, "kernel_size": main.shape[:-2]}


def _is_plain(value: Any) -> bool:
    return isinstance(value, (bool, int, float, str)) or (
        isinstance(value, (list, tuple)) and all(isinstance(each, int) for each in value)
    )


def _read(tensor: Tensor) -> Any:
    blocks = [np.empty(0, tensor.dtype), *(block.reshape(-1) for block in tensor.blocks())]
    return np.concatenate(blocks).reshape(tensor.shape)


def _tell(layer: OtherLayer, found: tuple[Any, Any, str] | None) -> Written:
    if found is None:
        why = "it has no arrays" if not layer.stored else "how Keras would build it is not known"
        return Written(layer.name, layer.kind or "?", "", "", (f"not in the file: {why}",))
    return Written(layer.name, layer.kind, type(found[0]).__name__, found[0].name)
