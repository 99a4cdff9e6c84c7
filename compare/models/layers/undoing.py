"""Copies of a layer in which a mistake is undone."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.models.layers.array_mistakes import in_keras_order
from compare.models.recording.recorded import innermost
from frameworks.registry import owner_name

Array = npt.NDArray[Any]


def copied(native: Any) -> Any:
    """Return a copy of a layer with weights of its own."""
    if owner_name(native) == "pytorch":
        return copy.deepcopy(native)
    made = type(native).from_config(native.get_config())
    made.build(getattr(native, "_build_shapes_dict", {}).get("input_shape") or native.input.shape)
    made.set_weights(native.get_weights())
    return made


def set_array(name: str, value: Array | None) -> Callable[[Any], Any]:
    """Return a function that puts an array, in torch's order of axes, into a layer."""

    def undo(layer: Any) -> Any:
        own = innermost(layer)
        if owner_name(own) == "pytorch":
            torch = sys.modules["torch"]
            old = getattr(own, name, None)
            tensor = None if value is None else torch.from_numpy(np.array(value)).to(old.device if old is not None else "cpu")
            if old is not None and tensor is not None and old.shape == tensor.shape:
                old.data = tensor.to(old.dtype)
            elif name in dict(own.named_buffers(recurse=False)):
                setattr(own, name, tensor)
            else:
                setattr(own, name, None if tensor is None else torch.nn.Parameter(tensor, requires_grad=False))
            return layer
        variable = getattr(own, name)
        variable.assign(np.zeros(variable.shape) if value is None else in_keras_order(own, name, value))
        return layer

    return undo


def set_option(name: str, value: Any) -> Callable[[Any], Any]:
    """Return a function that gives a layer another option."""

    def undo(layer: Any) -> Any:
        own = innermost(layer)
        if owner_name(own) == "pytorch":
            setattr(own, name, value)
            return layer
        made = type(own).from_config({**own.get_config(), name: value})
        made.build(getattr(own, "_build_shapes_dict", {}).get("input_shape") or own.input_spec.shape)
        made.set_weights(own.get_weights())
        return made

    return undo


def padded(pads: tuple[int, ...], rank: int, *, minus_infinity: bool) -> Callable[[Any], Any]:
    """Return a function that pads the input of a module of torch, and lets it pad nothing."""

    def undo(layer: Any) -> Any:
        torch = sys.modules["torch"]
        layer.padding = (0,) * rank
        fill = float("-inf") if minus_infinity else 0.0
        return torch.nn.Sequential(_Pad(pads, fill).module(torch), layer)

    return undo


@dataclass(frozen=True)
class _Pad:
    pads: tuple[int, ...]
    fill: float

    def module(self, torch: Any) -> Any:
        return {2: torch.nn.ConstantPad1d, 4: torch.nn.ConstantPad2d, 6: torch.nn.ConstantPad3d}[len(self.pads)](
            self.pads, self.fill
        )
