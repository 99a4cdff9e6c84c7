"""Training the same model in two frameworks side by side, and measuring the distance of their parameters."""

from compare.training.checkpoint import TrainingCheckpoint
from compare.training.comparing import compare_training
from compare.training.together import Side, TrainingStoppedError, train_together
from compare.training.trajectory import Trajectory

Checkpoint = TrainingCheckpoint
"""A name that exists only here: `gatewise.Checkpoint` is a file of weights."""

__all__ = [
    "Checkpoint",
    "Side",
    "TrainingCheckpoint",
    "TrainingStoppedError",
    "Trajectory",
    "compare_training",
    "train_together",
]
