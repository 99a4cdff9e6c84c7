"""The recurrent layers inside a Keras model, a list of layers, or a layer that contains others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

from frameworks.cells import cells_by_name
from frameworks.whole_models import Found, WholeModelError, whole_model


def refuse_whole(native: Any, library: ModuleType) -> WholeModelError | None:
    """Return the refusal of a model or container of recurrent layers, or None if it contains none."""
    found = list(recurrent_in(native, library))
    if not found:
        return None
    is_model = isinstance(native, library.Model)
    variable = "layers" if isinstance(native, (list, tuple)) else "model" if is_model else "layer"
    return whole_model(native, variable, found, list(_others(native, library, set())))


def recurrent_in(native: Any, library: ModuleType) -> Iterator[Found]:
    """Yield the recurrent layers in a Keras object, with the code that gets each."""
    yield from _search(native, library, "", set())


def is_recurrent(layer: Any, library: ModuleType) -> bool:
    """Return whether a layer is a recurrent layer or cell of its library, or a TimeDistributed of one."""
    kinds = library.layers
    if isinstance(layer, kinds.TimeDistributed):
        return is_recurrent(layer.layer, library)
    cells = tuple(getattr(kinds, name) for name in cells_by_name("keras", "Cell"))
    emulated = hasattr(layer, "weight_shapes") and type(layer).__module__.startswith("frameworks.torch_in_keras")
    return emulated or isinstance(layer, (kinds.RNN, kinds.Bidirectional, *cells))


def _search(native: Any, library: ModuleType, path: str, seen: set[int]) -> Iterator[Found]:
    """Yield the recurrent layers below an object; one that occurs twice is found once."""
    place = 0
    for _, step, layer in _children(native, library):
        place += not isinstance(layer, library.layers.Dropout)
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        if is_recurrent(layer, library):
            yield Found(f"{path}{step}", layer, layer.name, place)
        else:
            # Layers of different models are no stack.
            for each in _search(layer, library, f"{path}{step}", seen):
                yield replace(each, place=1000 * (place + 1) + each.place)


def _others(native: Any, library: ModuleType, seen: set[int]) -> Iterator[str]:
    """Yield the described names of the layers that are not recurrent, and contain none that is."""
    for name, _, layer in _children(native, library):
        if id(layer) in seen or is_recurrent(layer, library):
            continue
        seen.add(id(layer))
        if any(recurrent_in(layer, library)):
            yield from _others(layer, library, seen)
        else:
            yield name


def _children(native: Any, library: ModuleType) -> Iterator[tuple[str, str, Any]]:
    """Yield the described name of each layer directly inside an object, the code that gets it, and the layer."""
    if isinstance(native, library.Model):
        named: list[tuple[str, Any]] = [("", layer) for layer in native.layers]
    elif isinstance(native, (list, tuple)):
        named = [(f"[{index}]", layer) for index, layer in enumerate(native)]
    else:
        named = list(_attributes(native))
    names = [layer.name for _, layer in named if isinstance(layer, library.layers.Layer)]
    for index, (step, layer) in enumerate(named):
        if not isinstance(layer, library.layers.Layer) or isinstance(layer, library.layers.InputLayer):
            continue
        unique = f".get_layer({layer.name!r})" if names.count(layer.name) == 1 else f".layers[{index}]"
        yield f"{type(layer).__name__} {layer.name!r}", step or unique, layer


def _attributes(layer: Any) -> Iterator[tuple[str, Any]]:
    """Yield the values of a layer's public attributes, and the items of those that are lists or mappings."""
    for name, value in vars(layer).items():
        if name.startswith("_"):
            continue
        if isinstance(value, (list, tuple)):
            yield from ((f".{name}[{index}]", item) for index, item in enumerate(value))
        elif isinstance(value, Mapping):
            yield from ((f".{name}[{key!r}]", item) for key, item in value.items())
        else:
            yield f".{name}", value
