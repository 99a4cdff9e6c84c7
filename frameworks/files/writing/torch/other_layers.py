"""The torch module for a non-recurrent Keras layer, as source code, and where it differs from the layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from frameworks.files.other_layers import OtherLayer
from frameworks.kinds import KERAS, PYTORCH, Kind


def spell(layer: OtherLayer, module: str) -> str:
    """Return the call that builds the module.

    Args:
        layer: a Keras layer whose arrays are known.
        module: the module's name in torch.nn.
    """
    kind = PYTORCH.get(module)
    shapes = {name: array.shape for name, array in layer.stored.items()}
    sizes = KERAS.get(layer.kind).sizes(shapes, layer.config.get("groups", 1)) or {}
    given = [f"{name}={value!r}" for name, value in _arguments(layer, kind)]
    return f"nn.{module}({', '.join([*map(str, kind.stated_sizes(sizes).values()), *given])})"


def caveats_of(layer: OtherLayer, module: str) -> Iterator[str]:
    """Yield the differences between the module and the layer, and what takes a separate step in torch."""
    config, kind, target = layer.config, KERAS.get(layer.kind), PYTORCH.get(module)
    numbers = [option.means for option in target.stored_options if option.types]
    assumed = [f"{name}={kind.default(name)}" for name in numbers if name not in config]
    if assumed:
        yield f"the file does not state it: Keras's default {', '.join(assumed)} is assumed"
    if kind.has("activation") and config.get("activation") not in (None, "linear"):
        yield f"its activation {config['activation']!r} is a separate step in torch"
    if target.normalises:
        axis = config.get("axis", -1)
        if axis not in (-1, [-1]):
            yield f"it normalises along axis {axis}, but nn.{module} along {target.normalises}"
        lacking = [array.name for array in target.arrays or () if _is_lacking(array.means, layer, kind)]
        if lacking:
            initial = "which leaves the weight at one and the bias at zero"
            yield f"it has no {' and no '.join(lacking)}: load it with strict=False, {initial}"
    if kind.has("padding"):
        yield from _padding_caveats(config.get("padding", "valid"), is_strided=_is_strided(layer))


def _padding_caveats(padding: Any, *, is_strided: bool) -> Iterator[str]:
    if padding == "causal":
        yield "padding='causal': pad the front of the input with (kernel_size - 1) * dilation zeros, with functional.pad"
    elif padding == "same" and is_strided:
        yield "padding='same' with strides does not exist in torch: pad the input like Keras, with more zeros at the end"


def _arguments(layer: OtherLayer, module: Kind) -> Iterator[tuple[str, Any]]:
    """Yield the arguments that are not torch's defaults: numbers, then words, then flags for missing arrays."""
    kind = KERAS.get(layer.kind)
    for option in module.stored_options:
        if option.types:
            numbers = _numbers(layer.config.get(option.means, kind.default(option.means)))
            numbers = tuple(round(1 - each, 12) for each in numbers) if option.complement else numbers
            if set(numbers) - {option.default}:
                yield option.name, numbers[0] if len(set(numbers)) == 1 else numbers
    for option in module.stored_options:
        value = layer.config.get(option.means)
        if option.words and isinstance(value, str) and value in option.words and not _is_strided(layer):
            yield option.name, value
    for array in module.arrays or ():
        if array.option and _is_lacking(array.means, layer, kind):
            yield array.option, False


def _is_lacking(name: str, layer: OtherLayer, kind: Kind) -> bool:
    """Return whether an array that a layer of this kind may have is missing from this one."""
    array = kind.array(name)
    return array is not None and bool(array.option) and name not in layer.stored


def _is_strided(layer: OtherLayer) -> bool:
    return any(step != 1 for step in _numbers(layer.config.get("strides", 1)))


def _numbers(value: Any) -> tuple[Any, ...]:
    """Return the numbers in an argument from a file; () for anything else."""
    items = value if isinstance(value, (list, tuple)) else [value]
    return tuple(items) if all(type(each) in (int, float) for each in items) else ()
