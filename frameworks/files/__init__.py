"""Checkpoint files: read without the framework that wrote them, and written in formats that other programs read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frameworks.lazy_imports import lazy_names

if TYPE_CHECKING:
    from frameworks.files.checkpoint import Checkpoint, open_checkpoint
    from frameworks.files.other_layers import OtherLayer
    from frameworks.files.stored import StoredLayer
    from frameworks.files.writing.outcome import Written
    from frameworks.files.writing.saving import save_checkpoint

__all__ = ["Checkpoint", "OtherLayer", "StoredLayer", "Written", "open_checkpoint", "save_checkpoint"]

__getattr__, __dir__ = lazy_names(
    globals(),
    {
        "Checkpoint": "frameworks.files.checkpoint",
        "OtherLayer": "frameworks.files.other_layers",
        "StoredLayer": "frameworks.files.stored",
        "Written": "frameworks.files.writing.outcome",
        "open_checkpoint": "frameworks.files.checkpoint",
        "save_checkpoint": "frameworks.files.writing.saving",
    },
)
