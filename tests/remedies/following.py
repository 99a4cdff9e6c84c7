"""The cases that follow remedies: how they are registered, and what they say of a refusal.

A case is a function that provokes a refusal, does what the remedy says, and checks the result:

    @case
    def a_mask_of_another_shape() -> None:
        layer = adapt(keras_lstm())
        with refuses("Pass one bool per time step."):
            layer.forward(X, mask=np.ones((2, 4), bool))
        layer.forward(X, mask=np.ones((2, 5), bool))
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from frameworks.errors import GatewiseError
from frameworks.escaping import printable
from tests.remedies.collecting import Remedy, advice, stated_at

Case = Callable[..., None]

CASES: dict[str, Case] = {}
"""The cases by name. An argument named `folder` is an empty folder."""

_stated: list[tuple[Remedy | None, str]] = []


def case(function: Case) -> Case:
    """Register a case."""
    name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
    assert name not in CASES, name
    CASES[name] = function
    return function


@contextmanager
def refuses(text: str) -> Iterator[None]:
    """Expect a refusal whose whole remedy is this text, in which `*` stands for anything."""
    before = len(_stated)
    with pytest.raises(GatewiseError) as caught:
        yield
    remedy, stated = next((each for each in reversed(_stated[before:]) if str(caught.value).endswith(each[1])), (None, ""))
    assert remedy is not None, f"the remedy is not among those collected: {caught.value}"
    assert _matches(text, stated), f"the remedy is {stated!r}, not {text!r}"
    _follow(remedy, stated)


@contextmanager
def warns(text: str) -> Iterator[None]:
    """Expect a warning of this text, in which `*` stands for anything."""
    before = len(_stated)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    remedy, stated = next((each for each in _stated[before:] if _matches(text, each[1])), (None, ""))
    assert remedy is not None, f"no warning is {text!r}"
    _follow(remedy, stated)


def advises(text: str, told: Iterable[str]) -> None:
    """Expect one of the caveats or notes told to be this text, in which `*` stands for anything."""
    told = list(told)
    stated = next((each for each in told if _matches(text, each)), None)
    assert stated is not None, f"none is {text!r}: {told}"
    _follow(None, stated)


def follow(name: str, folder: Any) -> frozenset[Remedy]:
    """Run a case, and return the remedies that it followed."""
    _followed.clear()
    function = CASES[name]
    with _watched():
        function(**({"folder": folder} if "folder" in function.__code__.co_varnames[: function.__code__.co_argcount] else {}))
    return frozenset(_followed)


_followed: set[Remedy] = set()


def _follow(remedy: Remedy | None, stated: str) -> None:
    _followed.update({remedy} if remedy else (), (each for each in advice() if each.is_in(stated)))


def _matches(text: str, stated: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, text.split("*"))), stated, re.DOTALL) is not None


@contextmanager
def _watched() -> Iterator[None]:
    """Record the remedy of every error and the text of every warning, with the call in the sources that states it."""
    because, warn = GatewiseError.__dict__["because"], warnings.warn
    form = because.__func__

    def recording(cls: type[GatewiseError], /, subject: str, **parts: Any) -> GatewiseError:
        said = (parts["remedy"], *parts.get("lines", ()))
        _stated.append((stated_at(sys._getframe(1)), "\n".join(map(printable, said))))
        return form(cls, subject, **parts)  # type: ignore[no-any-return]

    def warning(message: Any, *given: Any, **options: Any) -> None:
        _stated.append((stated_at(sys._getframe(1)), str(message)))
        warn(message, *given, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GatewiseError, "because", classmethod(recording))
        patch.setattr(warnings, "warn", warning)
        yield
