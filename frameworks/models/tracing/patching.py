"""Names that are replaced while a module is recorded, and put back."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from types import FunctionType, TracebackType
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from typing_extensions import Self

_ABSENT = object()


class Patches:
    """Replaced attributes and names, restored at the end of the context."""

    def __init__(self) -> None:
        """Nothing is replaced yet."""
        self._undo: list[tuple[Any, str, Any, bool]] = []

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def set(self, owner: Any, name: str, new: Any) -> None:
        """Replace an attribute of a class or module."""
        self._undo.append((owner, name, vars(owner).get(name, _ABSENT), False))
        setattr(owner, name, new)

    def item(self, names: dict[str, Any], name: str, new: Any) -> None:
        """Replace a global name of some code."""
        self._undo.append((names, name, names.get(name, _ABSENT), True))
        names[name] = new

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Put everything back, the last one first."""
        for owner, name, old, is_item in reversed(self._undo):
            if is_item:
                if old is _ABSENT:
                    owner.pop(name, None)
                else:
                    owner[name] = old
            elif old is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, old)


def user_classes(module: nn.Module) -> list[type]:
    """Return the classes of a module and of those in it that are not torch's, with the classes that they inherit from."""
    found: dict[type, None] = {}
    for each in module.modules():
        for owner in type(each).__mro__:
            if owner is not object and owner.__module__.split(".")[0] not in ("torch", "typing", "abc"):
                found[owner] = None
    return list(found)


def user_namespaces(classes: Iterable[type]) -> list[dict[str, Any]]:
    """Return the global names of the methods of some classes, and of the functions that these names stand for."""
    found: dict[int, dict[str, Any]] = {}
    waiting = [function for owner in classes for function in vars(owner).values()]
    while waiting:
        function = inspect.unwrap(waiting.pop()) if callable(waiting[-1]) else waiting.pop()
        function = getattr(function, "__func__", function)
        if not isinstance(function, FunctionType) or id(function.__globals__) in found:
            continue
        if function.__globals__.get("__name__", "").split(".")[0] in ("torch", "numpy", "frameworks"):
            continue
        found[id(function.__globals__)] = function.__globals__
        waiting.extend(function.__globals__.values())
    return list(found.values())
