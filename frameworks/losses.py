"""Losses of one framework that are computed as the other's; each module is named for the framework that it is written in."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from frameworks import registry


def loss_like(keras_loss: Any) -> Any:
    """Make the torch loss that gives what a Keras loss gives.

    Args:
        keras_loss: one of Keras's own loss objects, such as keras.losses.SparseCategoricalCrossentropy(from_logits=True), or
            its name, which stands for its defaults.

    Returns:
        A torch.nn.Module that is called as torch's losses are, `loss(prediction, target)`, but with Keras's shapes: classes
        along the last axis. `loss(prediction, target, mask=mask)` averages where the mask, shaped as the target without the
        last axis (with all axes for sparse classes), is True, as Keras does with the mask that a prediction carries.

    Raises:
        GatewiseError: for another loss, by name, and for one of the user's own.
    """
    registry.load("keras")
    registry.load("pytorch")
    return import_module("frameworks.keras_in_torch.losses").loss_like(keras_loss)
