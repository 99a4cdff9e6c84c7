"""The refusal of a whole model where one layer is expected: its recurrent layers by name, and a line of code for each."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from frameworks import registry
from frameworks.adapter import Adapter
from frameworks.counterparts import find_limits
from frameworks.errors import GatewiseError, InvalidTypeError
from frameworks.rows import FrameworkName, owner_of, row_of

_SIZES = ("cell", "input_size", "hidden_size", "num_layers", "bidirectional", "dtype")
_KEPT = "Keep what is between them in your own model."
_WHOLE = "For the other layers too, save the model by its own framework, and write what open_checkpoint returns for that file."


@dataclass(frozen=True, eq=False)
class Found:
    """A recurrent layer in a model.

    Args:
        path: the code that gets it from the model, such as ".get_layer('lstm')"; empty for the layer itself.
        layer: the native layer.
        name: its name in the model.
        place: its place among the model's layers, apart from Dropout; layers at consecutive places may be a stack.
    """

    path: str
    layer: Any
    name: str = ""
    place: int = 0


Group = tuple[Found, ...]
"""One layer, or several that are called one after the other."""


class WholeModelError(InvalidTypeError):
    """Raised for a model, or a list, that has recurrent layers and others; the message lists the recurrent ones.

    Attributes:
        native: the model.
        variable: the variable that stands for it in the printed code.
        found: its recurrent layers.
        but: what it has besides them.
    """

    native: Any
    variable: str
    found: tuple[Found, ...]
    but: str


def whole_model(native: Any, variable: str, found: Iterable[Found], others: Sequence[str]) -> WholeModelError:
    """Return the error for a model where one layer is expected.

    Args:
        native: the model.
        variable: the variable that stands for it in the printed code.
        found: its recurrent layers.
        others: the names of its other layers.
    """
    layers = tuple(found)
    but = f"also has {_listed(others)}" if others else f"calls {_counted(len(layers))} in its own way"
    error = _error(_named(native), but, *_one_by_one("adapt", variable, layers))
    error.native, error.variable, error.found, error.but = native, variable, layers, but
    return error


def one_by_one(error: WholeModelError, call: str) -> WholeModelError:
    """Return the refusal of a function that takes one layer: for each recurrent layer its call."""
    return _error(_named(error.native), error.but, *_one_by_one(call, error.variable, error.found))


def to_write(error: WholeModelError) -> WholeModelError:
    """Return the refusal of `save_checkpoint`: a call with all recurrent layers, by name."""
    entries = {each.name or f"layer_{at}": each for at, each in enumerate(error.found)}
    code = ", ".join(f"{name!r}: {error.variable}{each.path}" for name, each in entries.items())
    remedy = "Write its recurrent layers by name:"
    return _error(_named(error.native), error.but, remedy, [f"gatewise.save_checkpoint(path, {{{code}}})", _WHOLE])


def _one_by_one(call: str, variable: str, found: Sequence[Found]) -> tuple[str, list[str]]:
    return "Pass its recurrent layers one at a time:", [*(f"gatewise.{call}({variable}{each.path})" for each in found), _KEPT]


def unported(error: WholeModelError, call: str, to: FrameworkName) -> WholeModelError:
    """Return the refusal of `convert` or `emulate`: for each recurrent layer the call that ports it.

    Args:
        error: the refusal of the model.
        call: "convert" or "emulate".
        to: the framework of the result.
    """
    target = "" if row_of(to).name == "pytorch" else f", to={to!r}"
    calls = {each: _porting_call(each.layer, call, to) for each in error.found}
    code = [f"gatewise.{calls[each]}({error.variable}{each.path}{target})" for each in error.found if calls[each]]
    refused = [f"{error.variable}{each.path}" for each in error.found if not calls[each]]
    verb = "Convert" if call == "convert" else "Emulate"
    remedy = f"{verb} its recurrent layers one at a time:"
    if call == "convert" and _emulates(error.native, to):
        remedy = f"Use gatewise.emulate({error.variable}{target}), which ports it whole. Or convert its recurrent layers alone:"
    elif row_of(to).name == "pytorch" and _is_wired(error.native):
        remedy = f"Use gatewise.port_model({error.variable}), which ports it whole. Or {call} its recurrent layers alone:"
    if not all(_is_built(each.layer) for each in error.found):
        remedy = f"First call it on data, because its layers are not all built. Then {remedy[0].lower()}{remedy[1:]}"
    if not code:
        remedy = "Its recurrent layers cannot be ported; pass each alone to see why:"
        code = [f"gatewise.{call}({each}{target})" for each in refused]
    elif refused:
        code.append(f"{_listed(refused)} cannot be ported: pass it alone to see why.")
    return _error(_named(error.native), error.but, remedy, [*code, _KEPT])


def pair_up(call: str, first: Any, second: Any) -> WholeModelError:
    """Return the refusal of whole models by a function that takes two layers: the pairs of recurrent layers to pass instead.

    Args:
        call: the name of the function.
        first: its first argument.
        second: its second argument.

    Raises:
        GatewiseError: for an argument that is refused for another reason.
    """
    errors = _refusal(first), _refusal(second)
    names = [_variable(native, error) for native, error in zip((first, second), errors, strict=True)]
    if names[0] == names[1]:
        names[1] = f"other_{names[1]}"
    sides = [
        [Found("", native)] if error is None else list(error.found)
        for native, error in zip((first, second), errors, strict=True)
    ]
    pairs = list(_pairs(*sides))
    used = [each for pair in pairs for group in pair for each in group]
    code = [f"gatewise.{call}({', '.join(map(_expression, names, pair))})" for pair in pairs]
    left = [
        f"{name}{each.path}" for name, side in zip(names, sides, strict=True) for each in side if each not in used and each.path
    ]
    remedy = "Pass the recurrent layers pair by pair:"
    unbuilt = [name for name, side in zip(names, sides, strict=True) if not all(_is_built(each.layer) for each in side)]
    if unbuilt:
        remedy = f"First call {' and '.join(unbuilt)} on data, because not all layers are built. Then pass them pair by pair:"
    elif not code:
        remedy = "Pass recurrent layers of the same sizes; no two have them."
    code.append(f"Here {names[0]} and {names[1]} are the two arguments.")
    unnamed = [_sizes(one) for one, two in pairs if _names(one) != _names(two)]
    if len(set(unnamed)) < len(unnamed):
        code.append("Layers of equal sizes are listed in order: check that they are partners.")
    if left:
        code.append(f"Without a partner: {_listed(left, 9)}.")
    whole = [error for error in errors if error is not None]
    but = ", and ".join(f"{_named(error.native)} {error.but}" for error in whole)
    return _error(f"each argument of {call}", but, remedy, code)


def _error(subject: str, but: str, remedy: str, code: Sequence[str]) -> WholeModelError:
    must = "be one recurrent layer, or a stack of nothing else"
    return WholeModelError.because(subject, must=must, but=but, remedy=remedy, lines=code)


def _counted(count: int) -> str:
    return "its recurrent layer" if count == 1 else f"its {count} recurrent layers"


def _refusal(native: Any) -> WholeModelError | None:
    try:
        registry.adapt(native)
    except WholeModelError as error:
        return error
    return None


def _variable(native: Any, error: WholeModelError | None) -> str:
    if error is not None:
        return error.variable
    if isinstance(native, (list, tuple)):
        return "layers"
    owner = owner_of(native)
    return "net" if owner is not None and owner.name == "pytorch" else "layer"


def _expression(variable: str, group: Sequence[Found]) -> str:
    parts = [f"{variable}{each.path}" for each in group]
    return parts[0] if len(parts) == 1 else f"[{', '.join(parts)}]"


def _pairs(first: Sequence[Found], second: Sequence[Found]) -> Iterator[tuple[Group, Group]]:
    """Yield the groups of layers that have the same sizes on both sides, each layer at most once.

    Those that also have the same name come first; the others are paired in the order of the first side.
    """
    taken: list[Found] = []
    fitting = [(one, two) for one in _groups(first) for two in _groups(second) if _fit(one, two)]
    for one, two in sorted(fitting, key=lambda pair: _names(pair[0]) != _names(pair[1])):
        if not any(each in taken for each in (*one, *two)):
            taken += [*one, *two]
            yield one, two


def _fit(one: Group, two: Group) -> bool:
    sizes = _sizes(one) if 1 in (len(one), len(two)) else None
    return sizes is not None and sizes == _sizes(two)


def _names(group: Group) -> list[str]:
    return [each.name for each in group]


def _groups(side: Sequence[Found]) -> Iterator[Group]:
    """Yield each layer with the stacks that begin at it, the longest first."""
    for start in range(len(side)):
        for end in range(len(side), start, -1):
            group = tuple(side[start:end])
            if all(later.place == sooner.place + 1 for sooner, later in pairwise(group)):
                yield group


def _sizes(group: Group) -> tuple[object, ...] | None:
    layers = [each.layer for each in group]
    try:
        spec = registry.adapt(layers[0] if len(layers) == 1 else layers).spec
    except GatewiseError:
        return None
    return tuple(getattr(spec, name) for name in _SIZES)


def _porting_call(layer: Any, call: str, to: FrameworkName) -> str:
    """Return the call that ports a layer, "convert" or "emulate", or "" if both refuse it."""
    if call == "convert" and _converts(layer, to):
        return "convert"
    if not _is_built(layer):
        return call
    return "emulate" if _emulates(layer, to) else ""


def _converts(layer: Any, to: FrameworkName) -> bool:
    try:
        source: Adapter = registry.adapt(layer)
        if source.options is not None and not source.is_cell:
            registry.describe(layer)  # refused for TimeDistributed, whose counterpart reads one outer step
    except GatewiseError:
        return False
    return not any(find_limits(source.spec, to, source.options, source.dropout))


def _emulates(native: Any, to: FrameworkName) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the port leaves out: this one is thrown away
        try:
            registry.load_porting(row_of(registry.owner_name(native)), row_of(to)).emulate(native)
        except GatewiseError:
            return False
    return True


def _is_wired(native: Any) -> bool:
    """Return whether it is a Keras model whose layers are connected by its architecture, not by code."""
    owner = owner_of(native)
    return owner is not None and owner.name == "keras" and bool(getattr(native, "outputs", None))


def _is_built(layer: Any) -> bool:
    return bool(getattr(layer, "built", True))


def _named(native: Any) -> str:
    if isinstance(native, (list, tuple)):
        return f"the {type(native).__name__} of layers"
    name = getattr(native, "name", None)
    return f"{type(native).__name__} {name!r}" if isinstance(name, str) else type(native).__name__


def _listed(names: Sequence[str], limit: int = 3) -> str:
    shown = list(names[:limit])
    if len(names) > limit:
        shown.append(f"{len(names) - limit} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
