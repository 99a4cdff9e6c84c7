"""Training a Keras model step by step: compiled on the TensorFlow backend, with autograd on the torch backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from compare.training.states import Array, require_same
from frameworks.errors import NoCounterpartError
from frameworks.keras.tensors import to_numpy


class KerasSide:
    """A Keras model and its optimizer, see `compare.training.Side`."""

    framework = "keras"

    def __init__(
        self,
        model: Any,
        optimizer: Any,
        loss_of: Callable[..., Any],
        parameters: Callable[[], Mapping[str, Array]],
        *,
        added_up: bool = True,
    ) -> None:
        """Wrap a built model and its optimizer.

        Args:
            model: a built Keras model or layer.
            optimizer: a Keras optimizer; built here if necessary.
            loss_of: a function from a batch's arrays to the scalar loss, in training mode.
            parameters: a function that returns the parameters under the names and in the shapes that all sides share.
            added_up: whether the optimizer gets the gradient of an embedding as one tensor. On TensorFlow the gradient has one
                row per token, and Keras's `fit` does not sum them: Adam then sums the squares of the rows. On every other
                backend, and in PyTorch, it squares their sum.

        Raises:
            GatewiseError: on a backend other than TensorFlow or torch.
        """
        self.model, self.optimizer, self.loss_of, self._parameters = model, optimizer, loss_of, parameters
        if not optimizer.built:
            optimizer.build(model.trainable_variables)
        backend = keras.config.backend()
        if backend not in _STEPS:
            raise NoCounterpartError.because(
                "a training on Keras",
                must=f"run on the backend {' or '.join(_STEPS)}",
                but=f"runs on {backend}",
                remedy="Set KERAS_BACKEND before Keras is imported.",
            )
        self._step = _STEPS[backend](model, optimizer, loss_of, added_up=added_up)

    def step(self, batch: Any) -> float:
        """Train on a batch, and return the loss before the step."""
        return float(self._step(*batch))

    def parameters(self) -> Mapping[str, Array]:
        """Return every parameter under the names and in the shapes that all sides share."""
        return self._parameters()

    def state(self) -> dict[str, Array]:
        """Return the complete state, so that a side built the same way can continue exactly."""
        return {name: np.array(to_numpy(variable)) for name, variable in self._variables().items()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Restore a state, to continue from there.

        Raises:
            GatewiseError: for the state of another side; nothing is written then.
        """
        require_same(state, self.state())
        for name, variable in self._variables().items():
            variable.assign(state[name])

    def _variables(self) -> dict[str, Any]:
        # By position, because Keras's names depend on the other layers that the process has built.
        kinds = {"model": self.model.variables, "optimizer": self.optimizer.variables}
        return {f"{kind}/{index}": variable for kind, some in kinds.items() for index, variable in enumerate(some)}


def _compiled_step(model: Any, optimizer: Any, loss_of: Callable[..., Any], *, added_up: bool) -> Callable[..., Any]:
    import tensorflow as tf

    variables = model.trainable_variables

    @tf.function  # type: ignore[untyped-decorator]
    def step(*batch: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(*batch)
        gradients = tape.gradient(loss, variables)
        if added_up:  # the gradient of an embedding has one row per token
            gradients = [None if gradient is None else tf.convert_to_tensor(gradient) for gradient in gradients]
        optimizer.apply(gradients, variables)
        return loss

    compiled: Callable[..., Any] = step
    return compiled


def _autograd_step(model: Any, optimizer: Any, loss_of: Callable[..., Any], *, added_up: bool) -> Callable[..., Any]:
    import torch

    del added_up  # always true here
    variables = model.trainable_variables

    def step(*batch: Any) -> Any:
        model.zero_grad()
        loss = loss_of(*batch)
        loss.backward()
        with torch.no_grad():
            optimizer.apply([variable.value.grad for variable in variables], variables)
        return loss.detach()

    return step


_STEPS = {"tensorflow": _compiled_step, "torch": _autograd_step}
