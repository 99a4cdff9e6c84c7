"""Checkpoint files, read without the framework that wrote them and written as others read them."""

from frameworks.files.checkpoint import Checkpoint, open_checkpoint
from frameworks.files.others import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.writing.plan import Written
from frameworks.files.writing.saving import save_checkpoint

__all__ = ["Checkpoint", "OtherLayer", "StoredLayer", "Written", "open_checkpoint", "save_checkpoint"]
