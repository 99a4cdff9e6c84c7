"""Keras's losses for torch."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from frameworks import registry


def loss_like(keras_loss: Any) -> Any:
    """Return the torch loss that computes the same as a Keras loss.

    Args:
        keras_loss: a built-in loss object of Keras, such as keras.losses.SparseCategoricalCrossentropy(from_logits=True), or
            a name, such as "mse", for a loss with default settings.

    Returns:
        A torch.nn.Module, called like torch's losses, `loss(prediction, target)`, but with Keras's shapes: the classes are on
        the last axis. `loss(prediction, target, mask=mask)` averages over the elements at which the mask is True, as Keras does
        with the mask that a prediction carries. The mask has the shape of the target without its last axis; for sparse classes,
        the shape of the whole target.

    Raises:
        GatewiseError: for any other loss, including a custom one, with its name.

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
