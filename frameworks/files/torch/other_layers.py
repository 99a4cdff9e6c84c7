"""Non-recurrent modules of torch: their kinds as the file or the user states them, or as their arrays leave no doubt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from frameworks.errors import InvalidValueError
from frameworks.files.given_options import GivenOptions, check_arguments
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.untrusted.source import StoredArray
from frameworks.kinds import PYTORCH, Kind

_KIND = "kind"
"""The option that states the kind of a module."""


def read_other(
    name: str,
    arrays: Mapping[str, StoredArray],
    attributes: Mapping[str, Any] | None = None,
    given: GivenOptions | None = None,
) -> Iterator[OtherLayer]:
    """Yield a module, with its class if that is known; yield nothing if there are no arrays.

    Args:
        name: the module's name.
        arrays: the module's arrays, by their names in the module.
        attributes: the attributes that the file states; see `Named`.
        given: the user's options; None for a file that states everything.

    Raises:
        GatewiseError: for options that do not fit the arrays.
    """
    if not arrays:
        return
    attributes, options = attributes or {}, given.of(name) if given else {}
    shapes = {leaf: array.shape for leaf, array in arrays.items()}
    kind, warnings = _kind(name, shapes, options.get(_KIND), attributes)
    record = PYTORCH.get(kind)
    told = {option.name: options[option.name] for option in record.stored_options if option.name in options}
    check_arguments(name, told)
    if not record.fits(shapes, told.get("groups")) and "groups" in told:
        raise _refused(name, "groups", f"divide the channels of {_words(shapes)}", told["groups"], "Leave it out.")
    stated = {**attributes, **told}
    arguments = {option.name: stated.get(option.name, option.default) for option in record.stored_options}
    lacking = [option.name for option in record.stored_options if option.required and option.name not in stated]
    assumed = [f"{name}={value!r}" for name, value in arguments.items() if name not in stated and name not in lacking]
    if lacking:
        warnings.append(f"the file does not state {' and '.join(lacking)}. State it with --option NAME.{lacking[0]}=VALUE.")
    if assumed:
        warnings.append(f"{', '.join(assumed)} assumed, torch's default. State it with --option NAME.OPTION=VALUE.")
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
        known=bool(kind) and not unlike,
        warnings=tuple(warnings),
        options=(_KIND, *(option.name for option in record.stored_options)) if given else (),
        assumed=frozenset(option.means for option in record.stored_options if option.name not in stated),
    )


def told_kinds(layers: Iterable[StoredLayer | OtherLayer], given: GivenOptions) -> Iterator[StoredLayer | OtherLayer]:
    """Yield the layers of a file that describes its arrays. The user may state the kinds of those that it calls arrays."""
    for layer in layers:
        if isinstance(layer, OtherLayer) and not layer.kind and layer.name:
            yield from read_other(layer.name, layer.stored, given=given) if layer.stored else [layer]
        else:
            yield layer


def _kind(name: str, shapes: Mapping[str, tuple[int, ...]], told: Any, attributes: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Return the class of a module, "" if nothing states it, and warnings about that."""
    own = str(attributes.get("class", ""))
    is_torch = bool(attributes.get("torch", not own))
    fitting = PYTORCH.holding(shapes)
    if own and is_torch:
        if told not in (None, own):
            raise _refused(name, _KIND, f"be {own}, as the file states", told, "Leave it out.")
        return own, []
    if told is not None:
        if told not in [kind.name for kind in fitting]:
            fit = ", ".join(kind.name for kind in fitting)
            must = f"be a module of torch.nn that has the arrays {_words(shapes)}: {fit or 'there is none'}"
            raise _refused(name, _KIND, must, told, "Leave it out if it is a class of your own.")
        return str(told), []
    if own:
        return "", [f"its class is {own}, not one of torch.nn: the file does not say what its code does with these arrays."]
    if len(fitting) == 1 and not fitting[0].stored_options:
        return fitting[0].name, []
    if not fitting:
        return "", ["the file does not state its kind, and no module of torch.nn has these arrays."]
    names = [kind.name for kind in fitting]
    fit = " or ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
    return "", [f"the file does not state its kind: by its arrays it may be {fit}. State it with --option NAME.{_KIND}=CLASS."]


def _refused(name: str, option: str, must: str, value: Any, remedy: str) -> InvalidValueError:
    return InvalidValueError.because(
        f"the option {option} of {name or repr(name)}", must=must, but=f"is {repr(value)[:100]}", remedy=remedy
    )


def _words(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{array} {shape}" for array, shape in shapes.items())[:300]


def _is_same(value: Any, other: Any) -> bool:
    return type(value) is type(other) and bool(value == other)


def _in_keras(kind: Kind, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the arguments by their Keras names, and, as text, those that Keras lacks."""
    config: dict[str, Any] = {}
    unlike = []
    for option in kind.stored_options if kind.means else ():
        value = arguments[option.name]
        if option.carries(value):
            config[option.means] = 1 - value if option.complement else value
        elif not option.is_harmless(value):
            unlike.append(f"{option.name}={value!r}")
    return config, ", ".join(unlike)
