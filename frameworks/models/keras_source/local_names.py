"""The names of variables in a method: those of the module's code, given again where what had them is not needed any more."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from frameworks.models.keras_source.names import RESERVED
from frameworks.models.pytorch.names import identifier

_WORD = re.compile(r"[A-Za-z_]\w*")


class LocalNames:
    """The names of one scope.

    Args:
        around: the names of the scope around it, which its code may read.
        is_needed: whether a value is read at a place or later.
        pending: the expressions that are still to be written from a place on.
    """

    def __init__(
        self,
        around: LocalNames | None,
        is_needed: Callable[[Any, int], bool],
        pending: Callable[[int], Iterable[str]],
    ) -> None:
        """Begin with none."""
        self._around = around
        self._is_needed = is_needed
        self._pending = pending
        self._owner: dict[str, Any] = {}

    def free(self, wish: str, owner: Any, since: int) -> str:
        """Return a name for a value: the wished one, unless something that is needed has it.

        Args:
            wish: the name.
            owner: what gets it.
            since: the first place at which the name would stand for it.
        """
        first = name = identifier(wish, "y")
        number = 2
        while not self._is_free(name, since):
            name, number = f"{first}_{number}", number + 1
        self._owner[name] = owner
        return name

    def give(self, name: str, owner: Any) -> None:
        """Give a name, also one that the scope around has."""
        self._owner[name] = owner

    def has(self, name: str) -> bool:
        """Return whether the scope, or one around it, has a name."""
        return name in self._owner or (self._around is not None and self._around.has(name))

    def _is_free(self, name: str, since: int) -> bool:
        if name in RESERVED:
            return False
        if name not in self._owner:
            return not self.has(name)
        if self._is_needed(self._owner[name], since):
            return False
        return all(name not in _WORD.findall(text) for text in self._pending(since))
