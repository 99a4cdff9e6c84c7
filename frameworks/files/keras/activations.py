"""Activations in a Keras config, given as names, functions or layers, and their names in `frameworks.activations`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from frameworks.activations import ACTIVATIONS, KERAS2_NAMES
from frameworks.files.keras.version import Version
from frameworks.kinds import KERAS, Kind

_ALIASES: Mapping[str, str] = MappingProxyType({"swish": "silu", "hard_swish": "hard_silu"})


def unknown_activation(config: Mapping[str, Any], version: Version, given: Mapping[str, Any]) -> str:
    """Return the argument of a cell whose function is unknown to gatewise and not replaced by the user, or ""."""
    stated = [name for name in ("activation", "recurrent_activation") if name in config and name not in given]
    return next((name for name in stated if name_of(config[name], version) not in ACTIVATIONS), "")


def name_of(value: Any, version: Version) -> str:
    """Return the name of an activation in `frameworks.activations`, or its name in the file if it is unknown there."""
    if value is None:
        return "linear"
    if isinstance(value, Mapping):
        if value.get("registered_name") == "gatewise>OfFamily" and isinstance(value.get("config"), Mapping):
            return str(value["config"].get("name"))
        package, _, own = str(value.get("config")).rpartition(">")
        return own if package == "gatewise" else _of_layer(value) or words_of(value)
    package, _, name = str(value).rpartition(">")
    renamed = KERAS2_NAMES if version.is_keras2 else _ALIASES
    return {**_ALIASES, **renamed}.get(name, name) if package in ("", "gatewise") else str(value)


def words_of(activation: Any) -> str:
    """Describe an unknown activation: a custom function, a layer, or the code of a lambda."""
    if not isinstance(activation, Mapping):
        return repr(activation)[:100]
    if isinstance(activation.get("config"), str):
        return f"the custom function {activation['config'][:100]!r}"
    kind = str(activation.get("class_name", "__lambda__"))
    return "the code of a lambda, which is not run" if kind == "__lambda__" else f"a layer of class {kind[:100]}"


def _of_layer(value: Mapping[str, Any]) -> str:
    """Return the activation that a Keras layer computes, or "" for another layer or one without its parameter."""
    config, package = value.get("config"), str(value.get("module") or "keras").partition(".")[0]
    if not isinstance(config, Mapping) or package != "keras" or value.get("registered_name"):
        return ""
    kind = KERAS.get(str(value.get("class_name")))
    option = kind.option(kind.activation_number)
    if option is None:
        return kind.activation if _is_default(kind, config) else ""
    number = next((config[name] for name in (option.name, option.formerly) if name in config), None)
    return f"{kind.activation}({number!r})" if isinstance(number, float) else ""


def _is_default(kind: Kind, config: Mapping[str, Any]) -> bool:
    """Return whether all options have their defaults; None is the same as a default of zero."""
    pairs = [(config.get(option.name, option.default), option.default) for option in kind.options]
    return all(value == default or (value is None and not default) for value, default in pairs)
