"""Reading the arguments of a constructor, including those of its base classes."""

from __future__ import annotations

import inspect
import platform
import re
import sys
import typing
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from frameworks.errors import GatewiseError

REQUIRED = "required"
"""The marker of an argument without a default."""
HIDDEN = "kwargs"
"""The marker of an argument that the constructor pops from `**kwargs`."""


def read_options(kind: type, supplied: Collection[str] = ()) -> dict[str, str]:
    """Return every argument of a class's constructor with its default as text.

    If the constructor passes `**kwargs` on, the result includes the arguments popped from `**kwargs` and those of the base
    class. If the constructor is overloaded, as torch's are, the overloads are its signatures.

    Args:
        kind: a class.
        supplied: arguments of a base class that the class itself supplies.
    """
    defaults: dict[str, str] = {}
    for owner in kind.__mro__:
        if "__init__" not in vars(owner):
            continue
        make: Callable[..., Any] = vars(owner)["__init__"]
        overloads = _overloads(make)
        parameters = [each for one in overloads or [make] for each in _parameters(one)]
        named = [each for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
        shown = {each.name: _default(each) for each in named}
        for name, default in {**shown, **{name: HIDDEN for name in _taken_out(make) if name not in shown}}.items():
            if name not in supplied and defaults.get(name, HIDDEN) == HIDDEN:
                defaults[name] = default
        if overloads or not any(each.kind is each.VAR_KEYWORD for each in parameters):
            break
    return defaults


def _overloads(make: Callable[..., Any]) -> Sequence[Callable[..., Any]]:
    if sys.version_info < (3, 11):
        raise GatewiseError.because(
            "the report on options",
            must="be made with Python 3.11 or later, which keeps the overloads of a constructor",
            but=f"this is Python {platform.python_version()}",
            remedy="Run it with a newer Python.",
        )
    return typing.get_overloads(make)


def _parameters(function: Callable[..., Any]) -> Iterable[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())[1:]


def _default(parameter: inspect.Parameter) -> str:
    return REQUIRED if parameter.default is parameter.empty else repr(parameter.default)


def _taken_out(make: Callable[..., Any]) -> list[str]:
    return re.findall(r"""kwargs\.(?:pop|get)\(\s*["'](\w+)["']""", inspect.getsource(make)) if inspect.isfunction(make) else []
