"""Training the same model in two frameworks at once, step by step, and measuring how far their parameters part."""

from compare.training.checkpoint import Checkpoint
from compare.training.comparing import compare_training
from compare.training.together import Side, TrainingStoppedError, train_together
from compare.training.trajectory import Trajectory

__all__ = ["Checkpoint", "Side", "TrainingStoppedError", "Trajectory", "compare_training", "train_together"]
