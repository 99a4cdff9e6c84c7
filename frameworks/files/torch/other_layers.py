"""Non-recurrent modules of torch, recognised by the names and shapes of their arrays: a state dict contains no class names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from frameworks.files.other_layers import OtherLayer
from frameworks.files.untrusted.source import StoredArray
from frameworks.kinds import PYTORCH, Kind

_WORDS = {1: "vector", 2: "matrix"}


def read_other(
    name: str, arrays: Mapping[str, StoredArray], attributes: Mapping[str, Any] | None = None
) -> Iterator[OtherLayer]:
    """Yield a module, with its class as far as the arrays determine it; yield nothing if there are no arrays.

    Args:
        name: the module's name.
        arrays: the module's arrays, by their names in the module.
        attributes: the attributes that the file states; see `Named`.
    """
    if not arrays:
        return
    attributes = attributes or {}
    warnings: list[str] = []
    if attributes.get("torch"):
        kind, certain = attributes["class"], bool(attributes["class"])
    else:
        kind, warnings, certain = _kind(name, {leaf: array.shape for leaf, array in arrays.items()})
    record = PYTORCH.get(kind)
    arguments = {option.name: attributes.get(option.name, option.default) for option in record.stored_options}
    assumed = [f"{argument}={value!r}" for argument, value in arguments.items() if argument not in attributes]
    if assumed:
        warnings.append(f"{', '.join(assumed)} assumed, torch's default: the file does not state it.")
    config, unlike = _in_keras(record, arguments)
    warnings += [
        remark
        for option in record.stored_options
        for value, remark in option.remarks
        if _is_same(arguments[option.name], value)
    ]
    if unlike:
        warnings.append(f"{unlike}, which the corresponding Keras layer lacks.")
    yield OtherLayer(
        name,
        kind,
        MappingProxyType(dict(arrays)),
        config,
        known=certain and not unlike,
        warnings=tuple(warnings),
        assumed=frozenset(option.means for option in record.stored_options if option.name not in attributes),
    )


def _is_same(value: Any, other: Any) -> bool:
    return type(value) is type(other) and bool(value == other)


def _in_keras(kind: Kind, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the arguments by their Keras names, and, as text, those that Keras lacks."""
    config: dict[str, Any] = {}
    unlike = []
    for option in kind.stored_options:
        value = arguments[option.name]
        if option.carries(value):
            config[option.means] = 1 - value if option.complement else value
        elif not option.is_harmless(value):
            unlike.append(f"{option.name}={value!r}")
    return config, ", ".join(unlike)


def _kind(name: str, shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, list[str], bool]:
    """Return the class that arrays fit, warnings about ambiguity, and whether it is considered known."""
    kinds = PYTORCH.shown_by(shapes)
    likely = [kind for kind in kinds if not kind.rare]
    hinted = [kind for kind in likely if kind.hint and kind.hint in name.lower()]
    single = f"it is a single {_WORDS.get(max(map(len, shapes.values())), 'array')}"
    if len(likely) > 1 and hinted:
        return hinted[0].name, [f"{single}, taken to be an {hinted[0].name}'s because of its name."], True
    if len(likely) > 1:
        return " or ".join(kind.name for kind in likely), [f"{single}, which may belong to either."], False
    if not likely:
        return "", [], False
    rare = [kind for kind in kinds if kind.rare]
    have = "have" if all(kind.arrays == likely[0].arrays for kind in rare) else "may have"
    doubt = [f"{' and '.join(kind.name for kind in rare)} {have} the same arrays."] if rare else []
    return likely[0].name, doubt, True
