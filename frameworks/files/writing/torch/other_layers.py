"""How a layer of Keras's that is not recurrent is spelled in torch, and what its module does not do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from frameworks.files.other_layers import OtherLayer
from frameworks.kinds import KERAS, PYTORCH, Kind


def spell(layer: OtherLayer, module: str) -> str:
    """Write the call that makes the module.

    Args:
        layer: of Keras's, whose arrays are known.
        module: the name in torch.nn.
    """
    kind = PYTORCH.get(module)
    shapes = {name: array.shape for name, array in layer.stored.items()}
    sizes = KERAS.get(layer.kind).sizes(shapes, layer.config.get("groups", 1)) or {}
    given = [f"{name}={value!r}" for name, value in _arguments(layer, kind)]
    return f"nn.{module}({', '.join([*map(str, kind.stated_sizes(sizes).values()), *given])})"


def beware_of(layer: OtherLayer, module: str) -> Iterator[str]:
    """Say what the module does otherwise than the layer, or a step of its own does in torch."""
    config, kind, there = layer.config, KERAS.get(layer.kind), PYTORCH.get(module)
    numbers = [option.means for option in there.said if option.types]
    assumed = [f"{name}={kind.default(name)}" for name in numbers if name not in config]
    if assumed:
        yield f"the file does not say it: {', '.join(assumed)}, Keras's default, is assumed"
    if kind.has("activation") and config.get("activation") not in (None, "linear"):
        yield f"its activation {config['activation']!r} is a step of its own in torch"
    if there.normalises:
        axis = config.get("axis", -1)
        if axis not in (-1, [-1]):
            yield f"it normalises along axis {axis}, and nn.{module} along {there.normalises}"
        lacking = [array.name for array in there.arrays or () if _is_lacking(array.means, layer, kind)]
        if lacking:
            yield f"it has no {' and no '.join(lacking)}: load it with strict=False, which leaves them at one and zero"
    if kind.has("padding"):
        yield from _beware_of_padding(config.get("padding", "valid"), is_strided=_is_strided(layer))


def _beware_of_padding(padding: Any, *, is_strided: bool) -> Iterator[str]:
    if padding == "causal":
        yield "padding='causal': pad the input before it with (kernel_size - 1) * dilation zeros, as functional.pad does"
    elif padding == "same" and is_strided:
        yield "padding='same' with strides is not torch's: pad the input as Keras does, more behind than before"


def _arguments(layer: OtherLayer, module: Kind) -> Iterator[tuple[str, Any]]:
    """Yield the arguments that are not torch's defaults: numbers, then words, then arrays that are left out."""
    kind = KERAS.get(layer.kind)
    for option in module.said:
        if option.types:
            numbers = _numbers(layer.config.get(option.means, kind.default(option.means)))
            numbers = tuple(round(1 - each, 12) for each in numbers) if option.complement else numbers
            if set(numbers) - {option.default}:
                yield option.name, numbers[0] if len(set(numbers)) == 1 else numbers
    for option in module.said:
        said = layer.config.get(option.means)
        if option.words and isinstance(said, str) and said in option.words and not _is_strided(layer):
            yield option.name, said
    for array in module.arrays or ():
        if array.option and _is_lacking(array.means, layer, kind):
            yield array.option, False


def _is_lacking(name: str, layer: OtherLayer, kind: Kind) -> bool:
    """Whether a layer of this kind may have an array that this one has not."""
    array = kind.array(name)
    return array is not None and bool(array.option) and name not in layer.stored


def _is_strided(layer: OtherLayer) -> bool:
    return any(step != 1 for step in _numbers(layer.config.get("strides", 1)))


def _numbers(value: Any) -> tuple[Any, ...]:
    """Return the numbers of a file's argument, which may be anything."""
    items = value if isinstance(value, (list, tuple)) else [value]
    return tuple(items) if all(type(each) in (int, float) for each in items) else ()
