"""Functions of `keras.ops` that move, pick and join numbers, in torch; each with Keras's signature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from frameworks.models.pytorch.operations.constants import refused, tensors
from frameworks.models.pytorch.pieces import Name, literal


def _get_item(x: Any, key: Any) -> str:
    keys = list(key) if isinstance(key, (tuple, list)) else [key]
    flipped, axis = [], 0
    for at, each in enumerate(keys):
        if isinstance(each, slice) and each.step is not None and each.step < 0:
            if each != slice(None, None, -1) or Ellipsis in keys[:at]:
                raise refused(f"the slice {each}, which torch lacks")
            flipped.append(axis)
            keys[at] = slice(None)
        axis += each is not None
    x = f"{x}.flip({', '.join(map(str, flipped))})" if flipped else x
    while keys and keys[-1] in (slice(None), Ellipsis):
        keys.pop()
    return f"{x}[{', '.join(map(_index, keys))}]" if keys else str(x)


def _index(key: Any) -> str:
    if isinstance(key, slice):
        start, stop, step = ("" if each is None else literal(each) for each in (key.start, key.stop, key.step))
        return f"{start}:{stop}{f':{step}' if step and step != '1' else ''}"
    return "..." if key is Ellipsis else literal(key)


def _reshape(x: Any, newshape: Any) -> str:
    sizes = newshape if isinstance(newshape, (list, tuple)) else [newshape]
    if isinstance(newshape, Name):
        return f"{x}.reshape({newshape})"
    return f"{x}.reshape({', '.join('-1' if each is None else literal(each) for each in sizes)})"


def _transpose(x: Any, axes: Any = None) -> str:
    if axes is None:
        return f"{x}.permute(*reversed(range({x}.ndim)))"
    return f"{x}.permute({', '.join(map(str, axes))})"


def _expand_dims(x: Any, axis: Any) -> str:
    axes = list(axis) if isinstance(axis, (list, tuple)) else [axis]
    if min(axes) < 0 <= max(axes):
        raise refused(f"axis={tuple(axes)}, some of them counted from the end")
    for each in sorted(axes, reverse=min(axes) < 0):
        x = f"{x}.unsqueeze({each})"
    return str(x)


def _squeeze(x: Any, axis: Any = None) -> str:
    if axis is None:
        return f"{x}.squeeze()"
    return f"{x}.squeeze({tuple(axis) if isinstance(axis, (list, tuple)) else axis})"


def _joined(function: str) -> Callable[..., str]:
    def write(x: Any, axis: Any = 0) -> str:
        return f"torch.{function}([{', '.join(map(str, x))}], dim={axis})"

    return write


def _concatenate(xs: Any, axis: Any = 0) -> str:
    return _joined("cat")(xs, axis)


def _split(x: Any, indices_or_sections: Any, axis: Any = 0) -> str:
    into = indices_or_sections
    return f"{x}.tensor_split({into if isinstance(into, int) else tuple(into)}, dim={axis})"


def _unstack(x: Any, num: Any = None, axis: Any = 0) -> str:
    return f"{x}.unbind({axis})[:{num}]" if num else f"{x}.unbind({axis})"


def _pad(x: Any, pad_width: Any, mode: Any = "constant", constant_values: Any = None) -> str:
    if mode != "constant":
        raise refused(f"mode={mode!r}")
    sides = [side for pair in reversed(list(pad_width)) for side in pair]
    value = f", value={constant_values}" if constant_values else ""
    return f"F.pad({x}, {tuple(sides)}{value})"


def _take(x: Any, indices: Any, axis: Any = None) -> str:
    if axis is None or axis < 0:
        raise refused(f"axis={axis}")
    if isinstance(indices, np.ndarray):
        indices = indices.tolist()
    index = f"{indices}.long()" if isinstance(indices, Name) else literal(indices)
    return f"{x}[{', '.join([':'] * axis + [index])}]"


def _take_along_axis(x: Any, indices: Any, axis: Any = None) -> str:
    return f"torch.take_along_dim({x}, {tensors(x, indices)[1]}.long(), dim={axis})"


def _swapped(x: Any, axis1: Any, axis2: Any) -> str:
    return f"{x}.transpose({axis1}, {axis2})"


def _moved(x: Any, source: Any, destination: Any) -> str:
    return f"{x}.movedim({literal(source)}, {literal(destination)})"


def _repeat(x: Any, repeats: Any, axis: Any = None) -> str:
    if not isinstance(repeats, int):
        raise refused(f"repeats={repeats}")
    return f"{x}.repeat_interleave({repeats}{'' if axis is None else f', dim={axis}'})"


def _tile(x: Any, repeats: Any) -> str:
    return f"{x}.tile({repeats if isinstance(repeats, int) else tuple(repeats)})"


def _flip(x: Any, axis: Any = None) -> str:
    if axis is None:
        return f"{x}.flip(*range({x}.ndim))"
    return f"{x}.flip({', '.join(map(str, axis)) if isinstance(axis, (list, tuple)) else axis})"


def _roll(x: Any, shift: Any, axis: Any = None) -> str:
    return f"{x}.roll({literal(shift)}{'' if axis is None else f', {literal(axis)}'})"


def _broadcast_to(x: Any, shape: Any) -> str:
    return f"torch.broadcast_to({x}, {literal(shape)})"


def _triangle(function: str) -> Callable[..., str]:
    def write(x: Any, k: Any = 0) -> str:
        return f"{x}.{function}({k or ''})"

    return write


WRITTEN: Mapping[str, Callable[..., str]] = MappingProxyType(
    {
        "copy": str,
        "get_item": _get_item,
        "reshape": _reshape,
        "transpose": _transpose,
        "swapaxes": _swapped,
        "moveaxis": _moved,
        "expand_dims": _expand_dims,
        "squeeze": _squeeze,
        "concatenate": _concatenate,
        "stack": _joined("stack"),
        "split": _split,
        "unstack": _unstack,
        "repeat": _repeat,
        "tile": _tile,
        "flip": _flip,
        "roll": _roll,
        "pad": _pad,
        "broadcast_to": _broadcast_to,
        "take": _take,
        "take_along_axis": _take_along_axis,
        "tril": _triangle("tril"),
        "triu": _triangle("triu"),
    }
)
