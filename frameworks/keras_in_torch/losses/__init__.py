"""Keras's losses in torch."""

from frameworks.keras_in_torch.losses.keras_loss import KerasLoss
from frameworks.keras_in_torch.losses.making import loss_like, named_loss

__all__ = ["KerasLoss", "loss_like", "named_loss"]
