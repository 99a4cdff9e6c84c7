"""The arguments of a recorded function by name, every one of which is taken or refused."""

from __future__ import annotations

from typing import Any

from frameworks.models.keras_source.scope import uncarried
from frameworks.models.tracing.steps import Function, Value

_ABSENT = object()
_DEFAULTS: dict[str, Any] = {"None": None, "True": True, "False": False}


def bound(step: Function, signature: str) -> dict[str, Any]:
    """Return the arguments of a call by name.

    Args:
        step: the call.
        signature: the names in order, each with its default if it has one: "input dim=None keepdim=False". One that begins with
            "_" has no effect on the result; "*shape" takes all further positional arguments.

    Raises:
        NoCounterpartError: for an argument that is not listed.
    """
    names = signature.split()
    values: dict[str, Any] = {}
    given = list(step.args)
    for name in names:
        plain, _, default = name.partition("=")
        if plain.startswith("*"):
            values[plain[1:]] = step.kwargs.get(plain[1:], _flat(given))
            given = []
        elif given:
            values[plain] = given.pop(0)
        else:
            values[plain] = _DEFAULTS.get(default, _number(default)) if default else _ABSENT
    known = {name.partition("=")[0].lstrip("*") for name in names}
    for name, value in step.kwargs.items():
        own = name if name in known else f"_{name}"
        if own not in known:
            if value is None or value is False or name in ("device", "layout", "pin_memory", "requires_grad", "memory_format"):
                continue
            raise uncarried(
                step,
                f"the option {name} of {step.name}",
                "be one that gatewise carries to Keras",
                f"is {value!r}",
                "Write it without this option.",
            )
        values[own] = value
    if given or any(value is _ABSENT for value in values.values()):
        raise uncarried(
            step,
            f"the arguments of {step.name}",
            f"be those of {signature!r}",
            f"are {len(step.args)} of them by position, and {', '.join(step.kwargs) or 'none'} by name",
            "Write it with other functions, or in their usual form.",
        )
    return values


def _flat(given: list[Any]) -> Any:
    return given[0] if len(given) == 1 and isinstance(given[0], (list, tuple)) else tuple(given)


def _number(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text.strip("'")


def axes_of(given: Any, rank: int) -> tuple[int, ...]:
    """Return the axes that an argument names, each counted from the first; all of them for None."""
    if given is None:
        return tuple(range(rank))
    each = given if isinstance(given, (list, tuple)) else (given,)
    return tuple(int(axis) % max(rank, 1) for axis in each)


def is_tensor(thing: Any) -> bool:
    """Return whether an argument is a tensor."""
    return isinstance(thing, Value) or hasattr(thing, "shape")
