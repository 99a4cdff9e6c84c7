"""Non-recurrent layers, rebuilt in Keras from their arrays and the plain values of their config."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from frameworks.files.other_layers import OtherLayer, is_plain
from frameworks.files.untrusted.derived_arrays import MAX_RANK
from frameworks.files.writing.blocks import Tensor
from frameworks.files.writing.keras.layout import config_in_keras, keras_arrays, why_not_written
from frameworks.keras.activations import ADDED
from frameworks.kinds import ANY_AXES, KERAS, Kind, keras_kind

Shape = tuple[int | None, ...]


class Rebuilt(NamedTuple):
    """A Keras layer with its weights.

    Args:
        native: the layer.
        reads: the shape of each of its inputs, without the batch axis.
        dtype: the dtype of its inputs.
    """

    native: Any
    reads: Sequence[Shape]
    dtype: str


def rebuild(layer: OtherLayer, name: str) -> Rebuilt | str:
    """Build a non-recurrent layer, or return the reason why it cannot be built.

    Args:
        layer: the layer from a file.
        name: its name in Keras.
    """
    tensors, kind = keras_arrays(layer), KERAS.get(keras_kind(layer.kind))
    if not tensors:
        return why_not_written(layer)
    if any(KERAS.get(wrapper).role != "wrapper" for wrapper in layer.wrappers):
        return f"it is in {' in '.join(layer.wrappers)}, and not all of these are Keras layers that run it as it is"
    arrays = {each: _read(tensor) for each, tensor in tensors.items()}
    main, config = next(iter(arrays.values())), config_in_keras(layer)
    stated = {option.name: config[option.name] for option in kind.stored_options if config.get(option.name) is not None}
    unsupported = next((each for each, value in stated.items() if not is_plain(value)), "")
    if unsupported:
        return f"its {unsupported} is {str(config[unsupported])[:100]}, which is not a plain value"
    try:
        arguments = {**_as_keras_3(stated), **_shown(kind, config, arrays)}
        native = getattr(keras.layers, kind.name)(**arguments, name=name, dtype=main.dtype.name)
        reads = _reads(kind, arguments, arrays)
        for wrapper in layer.wrappers:
            native = getattr(keras.layers, wrapper)(native, name=name)
        steps = len(layer.wrappers) or _reads_any_axes(kind, arguments)
        shapes = [(None,) * steps + shape for shape in reads]
        native.build([(None, *shape) for shape in shapes] if len(shapes) > 1 else (None, *shapes[0]))
        native.set_weights(list(arrays.values()))
    except (ValueError, TypeError, AttributeError) as error:  # Keras rejects the arguments or the arrays
        return f"Keras cannot build it ({str(error).strip().splitlines()[0][:200]})"
    return Rebuilt(native, shapes, "int32" if kind.indices else main.dtype.name)


def _as_keras_3(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments that Keras 3 accepts: functions for activations that it lacks, and an axis for a list of one axis."""
    changed = {each: ADDED.get(value, value) for each, value in arguments.items() if each == "activation"}
    axis = arguments.get("axis")
    if isinstance(axis, (list, tuple)) and len(axis) == 1:
        changed["axis"] = axis[0]
    return {**arguments, **changed}


def _shown(kind: Kind, config: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that the sizes or the presence of arrays determine."""
    shown: dict[str, Any] = {
        array.option: array.name in arrays for array in kind.arrays or () if array.option and array.given is True
    }
    shown |= kind.stated_sizes(kind.sizes({name: array.shape for name, array in arrays.items()}) or {})
    for array in kind.arrays or ():
        if array.shared:
            axes = config.get(array.shared)
            ones = [axis for axis, size in enumerate(arrays[array.name].shape, 1) if size == 1]
            shown[array.shared] = axes if isinstance(axes, list) and all(axis in ones for axis in axes) else ones
    return shown


def _reads(kind: Kind, arguments: Mapping[str, Any], arrays: Mapping[str, Any]) -> list[Shape]:
    """Return the shapes of a layer's inputs, as far as its arrays determine them."""
    main = next(iter(arrays.values()))
    shared = next((array.shared for array in kind.arrays or () if array.shared), "")
    if shared:
        return [tuple(None if axis in arguments[shared] else size for axis, size in enumerate(main.shape, 1))]
    if kind.has("axis"):
        return [_along(arguments.get("axis", kind.default("axis")), main)]
    sizes = kind.sizes({name: array.shape for name, array in arrays.items()}, arguments.get("groups", 1)) or {}
    reads = [
        tuple(axis if isinstance(axis, int) else sizes.get(axis) for axis in each if axis != ANY_AXES) for each in kind.reads
    ]
    if arguments.get("data_format") == "channels_first":
        return [(shape[-1], *shape[:-1]) for shape in reads]
    return reads


def _along(axis: Any, main: Any) -> Shape:
    """Return the shape of a layer's input: its arrays have the sizes of these axes, the batch axis being 0."""
    axes = [axis] if isinstance(axis, int) else list(axis)
    if len(axes) != main.ndim:
        raise ValueError(f"its arrays have {main.ndim} axes, but its axis is {axes}")
    rank = max(max(axes) + 1, -min(axes) + 1)
    if rank > MAX_RANK:
        raise ValueError(f"its axis is {axes}, but no array has more than {MAX_RANK} axes")
    sizes = dict(zip((axis % rank for axis in axes), main.shape, strict=True))
    return tuple(sizes.get(place) for place in range(1, rank))


def _reads_any_axes(kind: Kind, arguments: Mapping[str, Any]) -> bool:
    """Return whether the layer accepts any number of axes before those that it reads."""
    if kind.has("axis"):
        return bool(arguments.get("axis", -1) == -1)
    return any(ANY_AXES in axes for axes in kind.reads)


def _read(tensor: Tensor) -> Any:
    blocks = [block.reshape(-1) for block in tensor.blocks()]
    return np.concatenate(blocks).reshape(tensor.shape) if math.prod(tensor.shape) else np.empty(tensor.shape, tensor.dtype)
