"""The version of Keras that wrote a file; the meaning of some words in the file depends on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Version:
    """The version of Keras that wrote a file, as stated in the file: "2.2.4-tf", "3.15.1", or "" if it is not stated."""

    text: str

    @property
    def numbers(self) -> tuple[int, ...]:
        """The version as numbers; (0,) if there are none."""
        parts = self.text.partition("-")[0].split(".")
        return tuple(int(part) for part in parts if part.isdecimal() and len(part) < 6) or (0,)

    @property
    def is_keras2(self) -> bool:
        """Whether the version is before Keras 3; an unstated version counts as Keras 2."""
        return self.numbers < (3,)

    @property
    def is_keras1(self) -> bool:
        """Whether the stated version is before Keras 2."""
        return (0,) < self.numbers < (2,)


def version_of(architecture: Mapping[str, Any] | None) -> Version:
    """Return the version that wrote an architecture. Keras 2 states it; Keras 3 is recognised by the module of each class."""
    if architecture is None:
        return Version("")
    stated = architecture.get("keras_version")
    if isinstance(stated, str):
        return Version(stated)
    return Version("3" if "module" in architecture else "")
