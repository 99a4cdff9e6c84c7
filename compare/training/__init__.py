"""Training the same model in two frameworks side by side, and measuring the distance of their parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compare.training.checkpoint import TrainingCheckpoint
from compare.training.comparing import compare_training
from compare.training.parameters import parameter_reader
from compare.training.together import Side, TrainingStoppedError, train_together
from compare.training.trajectory import Trajectory
from frameworks.lazy_imports import lazy_names

if TYPE_CHECKING:
    from compare.training.keras import KerasSide
    from compare.training.pytorch import PyTorchSide

Checkpoint = TrainingCheckpoint
"""A name that exists only here: `gatewise.Checkpoint` is a file of weights."""

__all__ = [
    "Checkpoint",
    "KerasSide",
    "PyTorchSide",
    "Side",
    "TrainingCheckpoint",
    "TrainingStoppedError",
    "Trajectory",
    "compare_training",
    "parameter_reader",
    "train_together",
]

__getattr__, __dir__ = lazy_names(globals(), {"KerasSide": "compare.training.keras", "PyTorchSide": "compare.training.pytorch"})
