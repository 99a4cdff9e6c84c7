"""The version of Keras that wrote a file, which its words depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Version:
    """The version of Keras that wrote a file, as the file says it: "2.2.4-tf", "3.15.1", or "" where it does not."""

    text: str

    @property
    def numbers(self) -> tuple[int, ...]:
        """Its numbers, (0,) where there are none."""
        parts = self.text.partition("-")[0].split(".")
        return tuple(int(part) for part in parts if part.isdecimal() and len(part) < 6) or (0,)

    @property
    def is_keras2(self) -> bool:
        """Whether it is from before Keras 3; a file that says nothing is."""
        return self.numbers < (3,)


def version_of(architecture: Mapping[str, Any] | None) -> Version:
    """Give the version that wrote an architecture: Keras 2 says it, and Keras 3 is known by naming a module for each class."""
    if architecture is None:
        return Version("")
    said = architecture.get("keras_version")
    return Version(said if isinstance(said, str) else "3" * ("module" in architecture))
