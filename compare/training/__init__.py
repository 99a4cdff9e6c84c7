"""Training the same model in two frameworks side by side, and measuring how far their parameters move apart."""

from compare.training.checkpoint import TrainingCheckpoint
from compare.training.comparing import compare_training
from compare.training.together import Side, TrainingStoppedError, train_together
from compare.training.trajectory import Trajectory

Checkpoint = TrainingCheckpoint
"""The name that it has only here: `gatewise.Checkpoint` is a file's."""

__all__ = [
    "Checkpoint",
    "Side",
    "TrainingCheckpoint",
    "TrainingStoppedError",
    "Trajectory",
    "compare_training",
    "train_together",
]
