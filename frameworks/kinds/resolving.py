"""The options of one Keras layer: its config with the defaults of the version that wrote it, and nothing unknown in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from types import MappingProxyType
from typing import Any

import numpy as np

from frameworks.errors import InvalidValueError, NoCounterpartError
from frameworks.kinds.keras import kind_of
from frameworks.kinds.keras.options import SHARED
from frameworks.kinds.records import Kind, Option, Versions, value_at

_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "data_format": ("channels_last", "channels_first"),
        "interpolation": ("nearest", "bilinear", "bicubic", "area", "gaussian", "lanczos3", "lanczos5", "mitchellcubic"),
        "merge_mode": ("concat", "sum", "mul", "ave"),
        "padding": ("valid", "same", "causal"),
        "score_mode": ("dot", "concat"),
    }
)
"""The options that may be words, with these. No other option may be text: what a file states becomes source."""
_OBJECTS = ("activation", "recurrent_activation", "layer", "backward_layer", "cell", "cells")
"""The options that are resolved by tables of their own."""
_MOST_AXES = 3
"""The deepest that the numbers of an option are nested."""


def options_of(class_name: str, config: Mapping[str, Any], version: Versions | None = None) -> dict[str, Any]:
    """Return the options that a Keras layer computes with, each under today's name and with its value or default.

    Options of training, and those without an effect, are left out; `left_out` lists those of training that are set.

    Args:
        class_name: the layer's class, without the package.
        config: the arguments of its constructor, as a file states them.
        version: the version of Keras that wrote the file; None for the latest.

    Raises:
        NoCounterpartError: for an option that the table does not list, and for a value that it refuses.
        InvalidValueError: for an option that is missing and has no default.
    """
    kind = kind_of(class_name)
    stated = dict(_stated(kind, config))
    for option, value in stated.values():
        _require_accepted(class_name, option, value)
    resolved = {}
    for option in kind.options:
        if option.name in stated:
            resolved[option.name] = stated[option.name][1]
            _require_plain(class_name, option, stated[option.name][1])
        elif option.required:
            raise InvalidValueError.because(
                f"the config of a {class_name}",
                must=f"state {option.name}, which has no default",
                but="it is missing",
                remedy="Save the model again with the version of Keras that wrote it.",
            )
        else:
            resolved[option.name] = value_at(option.default, version)
    return resolved


def left_out(class_name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of training that a layer's config sets, such as a regulariser: they change no result."""
    stated = dict(_stated(kind_of(class_name), config)).items()
    return {name: value for name, (option, value) in stated if option.use == "training" and value != option.default}


def known_options(class_name: str) -> dict[str, Option]:
    """Return all options of a Keras layer by name, also those of all layers and names from earlier versions."""
    kind = kind_of(class_name)
    own = (*kind.further, *kind.options)
    former = {option.formerly: option for option in own if option.formerly}
    return {**{option.name: option for option in SHARED}, **former, **{option.name: option for option in own}}


def _stated(kind: Kind, config: Mapping[str, Any]) -> Iterator[tuple[str, tuple[Option, Any]]]:
    """Yield the options that a config states, by today's name."""
    known = known_options(kind.name)
    for name, value in config.items():
        option = known.get(name)
        if option is None:
            raise NoCounterpartError.because(
                f"{name} of a {kind.name}",
                must="be an option that is known",
                but=f"is none of those of Keras's {kind.name}",
                remedy="If a newer Keras or a class of your own has it, write this layer by hand.",
            )
        yield option.name, (option, value)


def _require_accepted(class_name: str, option: Option, value: Any) -> None:
    if option.only and value not in option.only:
        raise NoCounterpartError.because(
            f"{option.name} of a {class_name}",
            must=f"be {' or '.join(map(repr, option.only))}",
            but=f"is {str(value)[:100]}, and {option.why}",
            remedy="Build the layer without it and save the model again, or write this layer by hand.",
        )


def _require_plain(class_name: str, option: Option, value: Any) -> None:
    """Raise an error for text and objects where the constructor takes numbers, and for unknown words."""
    words = _WORDS.get(option.name, ())
    if option.name in _OBJECTS or _is_numbers(value) or _is_mask_value(option, value):
        return
    if isinstance(value, str) and value in words:
        return
    raise InvalidValueError.because(
        f"{option.name} of a {class_name}",
        must=f"be {' or '.join(map(repr, words))}"
        if isinstance(value, str) and words
        else "be a finite number, or a list of these",
        but=f"is {str(value)[:100]!r}",
        remedy="Check that the architecture belongs to a model that Keras built.",
    )


def _is_numbers(value: Any, depth: int = 0) -> bool:
    """Return whether a value is None, a flag, a number, or a list of these."""
    if isinstance(value, (list, tuple)):
        return depth < _MOST_AXES and all(_is_numbers(each, depth + 1) for each in value)
    if isinstance(value, (np.ndarray, np.generic)):  # in the config of a live layer
        return value.dtype.kind in "biuf" and bool(np.isfinite(value).all())
    return value is None or isinstance(value, (bool, int)) or (isinstance(value, float) and isfinite(value))


def _is_mask_value(option: Option, value: Any) -> bool:
    """Return whether a value marks masked steps, for which infinity is as good as any other number."""
    return option.name == "mask_value" and isinstance(value, float)
