"""Keras's losses for torch."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from frameworks import registry


def loss_like(keras_loss: Any) -> Any:
    """Make the torch loss that computes what a Keras loss computes.

    Args:
        keras_loss: one of Keras's own loss objects, such as keras.losses.SparseCategoricalCrossentropy(from_logits=True), or
            its name, such as "mse", for the defaults.

    Returns:
        A torch.nn.Module, called as torch's losses are, `loss(prediction, target)`, but with Keras's shapes: classes lie along
        the last axis. `loss(prediction, target, mask=mask)` averages over the elements where the mask is True, as Keras does
        with the mask that a prediction carries. The mask is shaped as the target without its last axis; for sparse classes,
        as the whole target.

    Raises:
        GatewiseError: for any other loss, by name, including one of your own.

    Example:
        >>> import torch
        >>> from gatewise import loss_like
        >>> loss = loss_like("mse")
        >>> loss(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 0.0]])).item()
        2.5
    """
    registry.load("keras")
    registry.load("pytorch")
    return import_module("frameworks.keras_in_torch.losses").loss_like(keras_loss)
