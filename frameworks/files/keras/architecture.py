"""The architecture that a Keras file holds, or that comes with it."""

from __future__ import annotations

from dataclasses import dataclass

from frameworks.files.keras.config import Config
from frameworks.files.keras.version import Version


@dataclass(frozen=True, eq=False)
class Architecture:
    """An architecture as JSON.

    Args:
        model: the serialised model: class_name and config.
        version: the version of Keras that wrote it.
        file: the file's name in messages.
    """

    model: Config
    version: Version
    file: str
