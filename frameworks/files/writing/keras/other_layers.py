"""Layers that are not recurrent, rebuilt in Keras from their arrays and the plain values of their config."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from frameworks.files.other_layers import OtherLayer, is_plain
from frameworks.files.untrusted.derived_arrays import MAX_RANK
from frameworks.files.writing.blocks import Tensor
from frameworks.files.writing.keras.layout import config_in_keras, keras_arrays
from frameworks.files.writing.naming import keras_kind
from frameworks.keras.activations import ADDED

_CONVOLUTION = ("strides", "padding", "data_format", "dilation_rate", "groups", "activation")
_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "Embedding": ("mask_zero",),
    "Dense": ("activation",),
    "Conv1D": _CONVOLUTION,
    "Conv2D": _CONVOLUTION,
    "LayerNormalization": ("axis", "epsilon"),
    "BatchNormalization": ("axis", "momentum", "epsilon"),
    "PReLU": (),
    "Attention": ("score_mode", "dropout"),
    "AdditiveAttention": ("dropout",),
}
"""What is taken from a file's config of the layers that are rebuilt: plain values, which nothing can be run by."""

Shape = tuple[int | None, ...]


class Rebuilt(NamedTuple):
    """A layer of Keras with its weights.

    Args:
        native: the layer.
        reads: the shape of each of its inputs, without the batch.
        dtype: of its inputs.
    """

    native: Any
    reads: Sequence[Shape]
    dtype: str


def rebuild(layer: OtherLayer, name: str) -> Rebuilt | str:
    """Build a layer that is not recurrent, or say why not.

    Args:
        layer: as a file has it.
        name: that it gets in Keras.
    """
    found, kind = keras_arrays(layer), keras_kind(layer.kind)
    if not layer.stored:
        return "it has no arrays"
    if not found or any(wrapper != "TimeDistributed" for wrapper in layer.wrappers):
        return "how Keras would build it is not known"
    arrays = {each: _read(tensor) for each, tensor in found.items()}
    main, config = next(iter(arrays.values())), config_in_keras(layer)
    lost = next((each for each in _ARGUMENTS[kind] if config.get(each) is not None and not is_plain(config[each])), "")
    if lost:
        return f"its {lost} is {str(config[lost])[:100]}, which is no plain value"
    given = {each: config[each] for each in _ARGUMENTS[kind] if config.get(each) is not None}
    try:
        arguments = {**_as_keras_3(given), **_sizes(kind, config, arrays)}
        native = getattr(keras.layers, kind)(**arguments, name=name, dtype=main.dtype.name)
        reads = _reads(kind, arguments, main)
        for _ in layer.wrappers:
            native = keras.layers.TimeDistributed(native, name=name)
        free = kind in ("Embedding", "Dense") or (kind.endswith("Normalization") and arguments.get("axis", -1) == -1)
        steps = len(layer.wrappers) or free  # one where it reads any number of axes
        shapes = [(None,) * steps + shape for shape in reads]
        native.build([(None, *shape) for shape in shapes] if len(shapes) > 1 else (None, *shapes[0]))
        native.set_weights(list(arrays.values()))
    except (ValueError, TypeError) as error:  # what Keras says to arguments or arrays that no layer has
        return f"Keras builds no such layer ({str(error).strip().splitlines()[0][:200]})"
    return Rebuilt(native, shapes, "int32" if kind == "Embedding" else main.dtype.name)


def _as_keras_3(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Put Keras's function in place of the name of one that is not Keras's own, and an axis in place of a list of one."""
    changed = {each: ADDED.get(value, value) for each, value in arguments.items() if each == "activation"}
    axis = arguments.get("axis")
    if isinstance(axis, (list, tuple)) and len(axis) == 1:
        changed["axis"] = axis[0]
    return {**arguments, **changed}


def _sizes(kind: str, config: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[str, Any]:
    main = next(iter(arrays.values()))
    if kind == "Embedding":
        return {"input_dim": main.shape[0], "output_dim": main.shape[1]}
    if kind.endswith("Normalization"):
        return {"scale": "gamma" in arrays, "center": "beta" in arrays}
    if kind.endswith("Attention"):
        return {"use_scale": True}
    if kind == "PReLU":
        said, ones = config.get("shared_axes"), [axis for axis, size in enumerate(main.shape, 1) if size == 1]
        return {"shared_axes": said if isinstance(said, list) and all(axis in ones for axis in said) else ones}
    sizes = {"use_bias": "bias" in arrays, "units" if kind == "Dense" else "filters": main.shape[-1]}
    return sizes if kind == "Dense" else {**sizes, "kernel_size": main.shape[:-2]}


def _reads(kind: str, arguments: Mapping[str, Any], main: Any) -> list[Shape]:
    """Give the shapes that a layer reads, as far as its arrays fix them."""
    if kind == "Embedding":
        return [()]
    if kind.endswith("Attention"):
        return [(None, main.shape[0] if main.shape else 1)] * 2
    if kind == "PReLU":
        return [tuple(None if axis in arguments["shared_axes"] else size for axis, size in enumerate(main.shape, 1))]
    if kind.startswith("Conv"):
        channels = main.shape[-2] * arguments.get("groups", 1)
        free = (None,) * (main.ndim - 2)
        return [(channels, *free) if arguments.get("data_format") == "channels_first" else (*free, channels)]
    if kind == "Dense":
        return [(main.shape[0],)]
    axis = arguments.get("axis", -1)
    axes = [axis] if isinstance(axis, int) else list(axis)
    if len(axes) != main.ndim:
        raise ValueError(f"its arrays have {main.ndim} axes, and it is along {axes}")
    rank = max(max(axes) + 1, -min(axes) + 1)
    if rank > MAX_RANK:
        raise ValueError(f"it is along {axes}, and no array has more than {MAX_RANK} axes")
    sizes = dict(zip((axis % rank for axis in axes), main.shape, strict=True))
    return [tuple(sizes.get(place) for place in range(1, rank))]


def _read(tensor: Tensor) -> Any:
    blocks = [block.reshape(-1) for block in tensor.blocks()]
    return np.concatenate(blocks).reshape(tensor.shape) if math.prod(tensor.shape) else np.empty(tensor.shape, tensor.dtype)
