"""The options of one Keras layer: its config with the defaults of the version that wrote it, and nothing unknown in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from frameworks.errors import InvalidValueError, NoCounterpartError
from frameworks.kinds.keras import kind_of
from frameworks.kinds.keras.options import SHARED
from frameworks.kinds.records import Kind, Option, Versions, value_at


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
