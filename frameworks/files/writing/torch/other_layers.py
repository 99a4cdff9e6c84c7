"""How a layer of Keras's that is not recurrent is spelled in torch, and what its module does not do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from frameworks.files.other_layers import OtherLayer

_CONVOLUTION = {"strides": ("stride", 1), "dilation_rate": ("dilation", 1), "groups": ("groups", 1)}
_RENAMED: Mapping[str, Mapping[str, tuple[str, Any]]] = {
    "LayerNormalization": {"epsilon": ("eps", 1e-5)},
    "BatchNormalization": {"epsilon": ("eps", 1e-5), "momentum": ("momentum", 0.1)},
    "Conv1D": _CONVOLUTION,
    "Conv2D": _CONVOLUTION,
}
"""By Keras's class and argument: torch's argument, and torch's default."""

_DEFAULTS: Mapping[str, Any] = {"epsilon": 1e-3, "momentum": 0.99, "strides": 1, "dilation_rate": 1, "groups": 1}
"""Keras's, of what a file does not say."""


def spell(layer: OtherLayer, module: str) -> str:
    """Write the call that makes the module.

    Args:
        layer: of Keras's, whose arrays are known.
        module: the name in torch.nn.
    """
    given = [f"{name}={value!r}" for name, value in _arguments(layer)]
    return f"nn.{module}({', '.join([*map(str, _sizes(layer)), *given])})"


def beware_of(layer: OtherLayer, module: str) -> Iterator[str]:
    """Say what the module does otherwise than the layer, or a step of its own does in torch."""
    config, kind = layer.config, layer.kind
    assumed = [f"{name}={_DEFAULTS[name]}" for name in _RENAMED.get(kind, {}) if name not in config]
    if assumed:
        yield f"the file does not say it: {', '.join(assumed)}, Keras's default, is assumed"
    if module in ("Linear", "Conv1d", "Conv2d") and config.get("activation") not in (None, "linear"):
        yield f"its activation {config['activation']!r} is a step of its own in torch"
    if kind.endswith("Normalization"):
        axis = config.get("axis", -1)
        if axis not in (-1, [-1]):
            where = "the last axis" if kind.startswith("Layer") else "axis 1 of three"
            yield f"it normalises along axis {axis}, and nn.{module} along {where}"
        lacking = [name for name, array in (("weight", "gamma"), ("bias", "beta")) if array not in layer.stored]
        if lacking:
            yield f"it has no {' and no '.join(lacking)}: load it with strict=False, which leaves them at one and zero"
    padding = config.get("padding", "valid")
    if kind.startswith("Conv") and padding == "causal":
        yield "padding='causal': pad the input before it with (kernel_size - 1) * dilation zeros, as functional.pad does"
    elif kind.startswith("Conv") and padding == "same" and any(step != 1 for step in _numbers(config.get("strides", 1))):
        yield "padding='same' with strides is not torch's: pad the input as Keras does, more behind than before"


def _arguments(layer: OtherLayer) -> Iterator[tuple[str, Any]]:
    for name, (there, default) in _RENAMED.get(layer.kind, {}).items():
        numbers = _numbers(layer.config.get(name, _DEFAULTS[name]))
        if name == "momentum":
            numbers = tuple(round(1 - each, 12) for each in numbers)
        if set(numbers) - {default}:
            yield there, numbers[0] if len(set(numbers)) == 1 else numbers
    if layer.kind.startswith("Conv"):
        if layer.config.get("padding") == "same" and all(step == 1 for step in _numbers(layer.config.get("strides", 1))):
            yield "padding", "same"
        if "bias" not in layer.stored:
            yield "bias", False
    if layer.kind == "Dense" and "bias" not in layer.stored:
        yield "bias", False


def _sizes(layer: OtherLayer) -> tuple[Any, ...]:
    """Give the sizes that the constructor takes, from the arrays."""
    main = next(iter(layer.stored.values())).shape
    if layer.kind.startswith("Conv"):
        kernel = main[0] if len(main) == 3 else main[:-2]
        groups = layer.config.get("groups", 1)
        return main[-2] * (groups if type(groups) is int else 1), main[-1], kernel
    return (main[-1],) if layer.kind in ("LayerNormalization", "BatchNormalization", "PReLU") else tuple(main)


def _numbers(value: Any) -> tuple[Any, ...]:
    """Give the numbers of a file's argument, which may be anything."""
    items = value if isinstance(value, (list, tuple)) else [value]
    return tuple(items) if all(type(each) in (int, float) for each in items) else ()
