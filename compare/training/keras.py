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
    """A Keras model and its optimizer, as a `Side` of `train_together`.

    Attributes:
        mask: the mask of the latest prediction as a NumPy array, if `loss_of` returns one; otherwise None.

    Example:
        >>> import keras, numpy as np
        >>> from compare.training import KerasSide, parameter_reader
        >>> dense = keras.layers.Dense(1, kernel_initializer="ones")
        >>> model = keras.Sequential([keras.Input((2,)), dense])
        >>> def loss_of(x, y):
        ...     return keras.losses.MeanSquaredError()(y, model(x, training=True))
        >>> side = KerasSide(model, keras.optimizers.SGD(0.1), loss_of, parameter_reader({"dense": dense}))
        >>> side.step((np.array([[1.0, 2.0]], "float32"), np.array([[2.0]], "float32")))
        1.0
        >>> round(float(side.parameters()["dense.bias"][0]), 4)  # minus the error of 1 times twice the rate
        -0.2
    """

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
            loss_of: a function from a batch's arrays to the scalar loss, in training mode; or to a pair of the loss and
                the mask of the prediction (or None), which `mask` then holds.
            parameters: a function that returns the parameters under the names and in the shapes that all sides share.
            added_up: whether the optimizer gets the gradient of an embedding as one tensor. On TensorFlow the gradient has one
                row per token, and Keras's `fit` does not sum them: Adam then sums the squares of the rows. On every other
                backend, and in PyTorch, it squares their sum.

        Raises:
            GatewiseError: on a backend other than TensorFlow or torch.
        """
        self.model, self.optimizer, self._parameters = model, optimizer, parameters
        self._loss_of = _with_mask(loss_of)
        self.mask: Array | None = None
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
        self._step = _STEPS[backend](model, optimizer, self._loss_of, added_up=added_up)

    def step(self, batch: Any) -> float:
        """Train on a batch, and return the loss before the step."""
        return self._taken(self._step(*batch))

    def loss(self, batch: Any) -> float:
        """Return the loss of a batch without training on it."""
        return self._taken(self._loss_of(*batch))

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

    def _taken(self, loss_and_mask: tuple[Any, Any]) -> float:
        loss, mask = loss_and_mask
        self.mask = None if mask is None else np.array(to_numpy(mask))
        return float(to_numpy(loss))

    def _variables(self) -> dict[str, Any]:
        # By position, because Keras's names depend on the other layers that the process has built.
        # Keras does not count the states of a stateful layer among a model's variables.
        stateful = [one for one in self.model._flatten_layers() if isinstance(one, keras.layers.RNN) and one.stateful]
        states = [state for layer in stateful for state in keras.tree.flatten(layer.states) if state is not None]
        kinds = {"model": self.model.variables, "optimizer": self.optimizer.variables, "state": states}
        return {f"{kind}/{index}": variable for kind, some in kinds.items() for index, variable in enumerate(some)}


def _with_mask(loss_of: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """Make a function return a pair of the loss and a mask or None."""

    def both(*batch: Any) -> tuple[Any, Any]:
        loss = loss_of(*batch)
        return loss if isinstance(loss, tuple) else (loss, None)

    return both


def _compiled_step(model: Any, optimizer: Any, loss_of: Callable[..., Any], *, added_up: bool) -> Callable[..., Any]:
    import tensorflow as tf

    variables = model.trainable_variables

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]  # as in `fit`
    def step(*batch: Any) -> Any:
        with tf.GradientTape() as tape:
            loss, mask = loss_of(*batch)
        gradients = tape.gradient(loss, variables)
        if added_up:  # the gradient of an embedding has one row per token
            gradients = [None if gradient is None else tf.convert_to_tensor(gradient) for gradient in gradients]
        optimizer.apply(gradients, variables)
        return loss, mask

    compiled: Callable[..., Any] = step
    return compiled


def _autograd_step(model: Any, optimizer: Any, loss_of: Callable[..., Any], *, added_up: bool) -> Callable[..., Any]:
    import torch

    del added_up  # always true here
    variables = model.trainable_variables

    def step(*batch: Any) -> Any:
        model.zero_grad()
        loss, mask = loss_of(*batch)
        loss.backward()
        with torch.no_grad():
            optimizer.apply([variable.value.grad for variable in variables], variables)
        return loss.detach(), mask

    return step


_STEPS = {"tensorflow": _compiled_step, "torch": _autograd_step}
