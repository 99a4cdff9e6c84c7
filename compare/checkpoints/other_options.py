"""Options of two layers that are not recurrent, compared by their meaning in Keras, as far as the files state them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from compare.checkpoints.verified import Unstated, unstated_by
from frameworks import kinds
from frameworks.files import OtherLayer
from frameworks.files.other_layers import is_plain
from frameworks.files.writing.keras.layout import config_in_keras

_ALIKE: Mapping[str, Mapping[Any, Any]] = {"activation": {None: "linear"}, "data_format": {None: "channels_last"}}
"""Values that mean the same, by option."""

_NAMES = ("name", "trainable", "dtype", "batch_input_shape", "batch_shape", "build_config", "registered_name", "module")
"""Entries of a config that do not change what a layer computes."""


def is_class(layer: OtherLayer) -> bool:
    """Return whether the kind of a layer is the name of a class, not a guess or an explanation."""
    return layer.kind.isidentifier()


def compare_options(kind: kinds.Kind, expected: OtherLayer, actual: OtherLayer) -> tuple[list[str], list[Unstated]]:
    """Return the options that differ, and those that one of the files does not state, with the value in the other."""
    different: list[str] = []
    unstated: list[Unstated] = []
    for name in _option_names(kind, expected, actual):
        (one, stated), (other, stated_too) = _option(kind, expected, name), _option(kind, actual, name)
        if _is_same(name, one, other):
            continue
        if stated and stated_too and not _counts_otherwise(name, one, other):
            different.append(f"{name} is {_shown(name, other)}, not {_shown(name, one)}")
        elif stated or stated_too:
            unstated.append(unstated_by(name, (one, other), is_expected=not stated))
    return different, unstated


def _option_names(kind: kinds.Kind, expected: OtherLayer, actual: OtherLayer) -> list[str]:
    if kind.stored_options:
        return [option.name for option in kind.stored_options]
    configs = config_in_keras(expected), config_in_keras(actual)
    return [name for name in configs[0] if name in configs[1] and name not in _NAMES and is_plain(configs[0][name])]


def _option(kind: kinds.Kind, layer: OtherLayer, name: str) -> tuple[Any, bool]:
    """Return the value of an option in Keras, and whether the file states it."""
    config, option = config_in_keras(layer), kind.option(name)
    default = kind.default(name)
    for each in (name, option.formerly if option else ""):
        if each in config:
            return config[each], name not in layer.assumed
    module = _module_of(kind, layer)
    own = next((each for each in module.options if each.means == name), None) if module else None
    if own is None:
        return default, False
    if is_class(layer):  # a value without effect, which the reader leaves out
        return default, name not in layer.assumed
    value = 1 - own.default if own.complement else own.default
    return (value if own.carries(own.default) else default), False


def _module_of(kind: kinds.Kind, layer: OtherLayer) -> kinds.Kind | None:
    """Return the torch module whose arrays a layer has, or None for those of a Keras layer."""
    names = {array.name for array in kind.arrays or ()}
    if "keras" in layer.config or all(name in names or name.isdecimal() for name in layer.stored):
        return None
    return kinds.PYTORCH.get(layer.kind) if is_class(layer) else kinds.PYTORCH.meaning(kind.name)


def _is_same(name: str, one: Any, other: Any) -> bool:
    values = [_plain(name, each) for each in (one, other)]
    if all(type(each) in (int, float) for each in values):
        return math.isclose(*values, rel_tol=1e-6, abs_tol=1e-12)
    return bool(values[0] == values[1])


def _counts_otherwise(name: str, one: Any, other: Any) -> bool:
    """Return whether one axis is counted from the end and the other from the start, so that only the rank tells."""
    axes = [_plain(name, value) for value in (one, other)]
    return name == "axis" and all(type(axis) is int for axis in axes) and (axes[0] < 0) != (axes[1] < 0)


def _plain(name: str, value: Any) -> Any:
    """Return a value in the form in which it is compared: equal numbers for all axes as one number."""
    if isinstance(value, (list, tuple)):
        items = tuple(value)
        return items[0] if len(set(map(repr, items))) == 1 else items
    known = _ALIKE.get(name, {})
    return known.get(value, value) if value is None or isinstance(value, str) else value


def _shown(name: str, value: Any) -> str:
    return str(_plain(name, value))[:100]
