"""Checkpoint files, read without the framework that wrote them: `open_checkpoint`."""

from frameworks.files.checkpoint import Checkpoint, open_checkpoint
from frameworks.files.others import OtherLayer
from frameworks.files.stored import StoredLayer

__all__ = ["Checkpoint", "OtherLayer", "StoredLayer", "open_checkpoint"]
