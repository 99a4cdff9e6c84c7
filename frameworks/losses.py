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
        the last axis. Further arguments:

        * `mask`: boolean, True at each element that counts, as the mask that a Keras prediction carries. The loss is averaged
          over these elements. It has the shape of the target without its last axis; for sparse classes, of the whole target.
        * `sample_weight`: the weights that Keras's `fit` takes, shaped like a mask. One weight per sample of a sequence has the
          shape (batch, 1). As in Keras, the mean is divided by the number of elements, not by the sum of the weights.

        It follows the Keras backend that is active. On TensorFlow, Keras computes a crossentropy from the logits when a
        prediction comes straight out of a softmax or sigmoid, whatever `from_logits` says; this loss then does not clip the
        probabilities either. It recognises such a prediction by its gradient, so not within `torch.no_grad()`, and it knows the
        logits only as well as the rounded probabilities do: those of a sigmoid near 1 have lost digits. For exactly Keras's
        loss, return logits and use from_logits=True. Any other prediction for from_logits=False is clipped and normalised as
        on that backend, even if it holds no probabilities.

    Raises:
        GatewiseError: for any other loss, including a custom one, with its name. The loss raises it for a mask or weights that
            do not fit the losses, for a sigmoid's output where Keras would use a softmax's logits (or the other way round), and
            for probabilities that have underflowed to 0 where Keras would use the logits.

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
