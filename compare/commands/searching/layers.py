"""The two sides of `diagnose`: a recurrent layer, and what replaces it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from compare.commands.searching.arguments import Named, read_named
from compare.commands.searching.choice import read_choice
from compare.commands.searching.user_files import UserFiles
from frameworks.errors import InvalidValueError
from frameworks.files import Checkpoint, open_checkpoint
from frameworks.registry import adapt
from frameworks.whole_models import WholeModelError

Side = tuple[Any, str]
"""An argument of `diagnose`, and how it is called in the output."""


def read_sides(right: str, port: str, choice: str | None, files: UserFiles) -> tuple[Side, Side]:
    """Return both sides. Python files are run before others are opened, so that they may choose Keras's backend.

    Args:
        right: the argument RIGHT.
        port: the argument PORT.
        choice: the names of layers, NAME or NAME=OTHER, or None.
        files: runs Python files.
    """
    named = read_named(right), read_named(port)
    values: dict[int, Any] = {}
    for at in sorted((0, 1), key=lambda at: named[at].name is None):
        values[at] = _load(named[at], files, is_port=bool(at))
    known = _layers_of(values[0])
    names, others = read_choice(choice, known) if choice is not None else (None, None)
    chosen = _choose(values[0], known, names, named[0], "NAME")
    return chosen, _choose_port(values[1], names, others, named[1])


def _load(named: Named, files: UserFiles, *, is_port: bool) -> Any:
    return open_checkpoint(named.place) if named.name is None else files.load(named, is_port=is_port)


def _choose_port(value: Any, names: Sequence[str] | None, others: Sequence[str] | None, named: Named) -> Side:
    """Return the port: the layers OTHER if they are named, else that of the same name in a file, or the whole object."""
    if others is None and not isinstance(value, Checkpoint):
        return value, str(named)
    known = _layers_of(value)
    if others is not None and len(others) == 1 and _full_name(others[0], known) is None:
        part = _part(value, others[0])
        if part is not None:
            return part, f"{named}, {others[0]}"
    same = names if names is not None and all(name in known for name in names) else None
    return _choose(value, known, others or same, named, "NAME=OTHER")


def _choose(value: Any, known: Mapping[str, Any], names: Sequence[str] | None, named: Named, form: str) -> Side:
    """Return one layer, or several as a stack."""
    if names is None:
        if len(known) == 1 or not (known or isinstance(value, Checkpoint)):
            only = next(iter(known), "")
            return known.get(only, value), f"{named}{f', layer {only}' if only else ''}"
        if not isinstance(value, Checkpoint) and _is_one(value):
            return value, str(named)
    full = {name: _full_name(name, known) for name in names or ()}
    missing = [name for name, each in full.items() if each is None]
    if names is None or missing:
        listed = ", ".join(known)
        but = f"{named} has {listed} and none is chosen" if names is None else f"{named} has no {missing[0]!r}"
        raise InvalidValueError.because(
            f"--layer {form}",
            must="name a recurrent layer",
            but=but,
            remedy=f"Choose one of {listed}; several with commas are a stack." if known else "Leave it out.",
        )
    layers = [known[str(full[name])] for name in names]
    return (layers[0] if len(layers) == 1 else layers), f"{named}, layer {', '.join(names)}"


def _full_name(name: str, known: Mapping[str, Any]) -> str | None:
    """Return the layer that a name stands for: its own, or the end of one path alone, as `lstm` of `encoder.lstm`."""
    ends = [each for each in known if each.endswith(f".{name}")]
    return name if name in known else ends[0] if len(ends) == 1 else None


def _part(value: Any, name: str) -> Any:
    """Return the module or layer of that name in a model, which holds the recurrent layer and its call; None if it has none."""
    find = getattr(value, "get_submodule", None) or getattr(value, "get_layer", None)
    try:
        return find(name) if find is not None and name else None
    except (AttributeError, ValueError):
        return None


def _layers_of(value: Any) -> Mapping[str, Any]:
    """Return the recurrent layers that a file or a model holds, by name; {} for a single layer and for a function."""
    if isinstance(value, Checkpoint):
        return value
    try:
        adapt(value)
    except WholeModelError as error:
        return {found.name: found.layer for found in error.found if found.name}
    except Exception:  # noqa: BLE001  what it is instead is told by `diagnose`
        return {}
    return {layer.name: layer for layer in getattr(value, "layers", ()) if hasattr(layer, "name")}


def _is_one(value: Any) -> bool:
    try:
        adapt(value)
    except WholeModelError:
        return False
    return True
