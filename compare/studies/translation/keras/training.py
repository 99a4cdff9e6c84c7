"""Training the translator in Keras, one step a call: compiled on the TensorFlow backend, with plain autograd on torch's."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import keras
import numpy as np

from compare.studies.translation import copying
from compare.studies.translation.batches import END, LENGTH, LETTERS, SOUNDS, START, Batch, Tokens
from compare.studies.translation.keras.loss import masked_loss
from compare.studies.translation.keras.translator import Translator
from compare.studies.translation.setting import Setting
from compare.studies.translation.states import Array, require_same
from frameworks.keras.building import untouched_random
from frameworks.keras.tensors import to_numpy


def build_model(setting: Setting) -> Translator:
    """Build the translator with Keras's own initialisation, the same for the same seed."""
    cell = import_module(f"compare.studies.translation.keras.{setting.cell}")
    with _dtype(setting.dtype), untouched_random():
        random.seed(setting.seed)  # where every layer of Keras takes its own seed from
        encoder = cell.Encoder(LETTERS.size, setting.embedding_dim, setting.units)
        decoder = cell.Decoder(SOUNDS.size, setting.embedding_dim, setting.units, setting.dropout)
        model = Translator(encoder, decoder)
        model(np.zeros((1, 2), np.int32), np.zeros((1, 2), np.int32))
    return model


class KerasSide:
    """A translator of Keras and its optimizer, see `training.Side`."""

    framework = "keras"

    def __init__(self, model: Translator, optimizer: Any, *, added_up: bool = True) -> None:
        """Take a model that was called once, and an optimizer of its own; `added_up` is the setting's."""
        self.model, self.optimizer = model, optimizer
        optimizer.build(model.trainable_variables)
        if keras.config.backend() == "tensorflow":
            self._step = _compiled_step(model, optimizer, added_up=added_up)
        else:
            self._step = _autograd_step(model, optimizer)

    def step(self, batch: Batch) -> float:
        """Train on a batch, and give the loss before."""
        return float(self._step(*batch))

    def predict(self, batch: Batch) -> Array:
        """Give the logits under teacher forcing, (batch, time - 1, vocab), in inference."""
        return to_numpy(self.model(*batch, training=False))

    def translate(self, sources: Tokens) -> tuple[Tokens, Array]:
        """Give the greedy translation, (batch, time), and its attention, (batch, time, source)."""
        tokens, attention = self.model.translate(sources, START, END, LENGTH - 1)
        return to_numpy(tokens), to_numpy(attention)

    def parameters(self) -> dict[str, Array]:
        """Give copies of the parameters in the form that both frameworks share."""
        return copying.parameters(self.model)

    def state(self) -> dict[str, Array]:
        """Give all that another side of the same setting needs to go on exactly."""
        return {name: np.array(to_numpy(variable)) for name, variable in self._variables().items()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on where `state` was taken.

        Raises:
            GatewiseError: for the state of another setting; nothing is written then.
        """
        require_same(state, self.state())
        for name, variable in self._variables().items():
            variable.assign(state[name])

    def _variables(self) -> dict[str, Any]:
        # By number: Keras numbers its names through the whole process.
        kinds = {"model": self.model.variables, "optimizer": self.optimizer.variables}
        return {f"{kind}/{index}": variable for kind, found in kinds.items() for index, variable in enumerate(found)}


def _compiled_step(model: Translator, optimizer: Any, *, added_up: bool) -> Callable[[Tokens, Tokens], Any]:
    import tensorflow as tf

    variables = model.trainable_variables

    @tf.function  # type: ignore[untyped-decorator]
    def step(sources: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = masked_loss(targets[:, 1:], model(sources, targets, training=True))
        gradients = tape.gradient(loss, variables)
        if added_up:  # of an embedding there is a row for each token
            gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        optimizer.apply(gradients, variables)
        return loss

    compiled: Callable[[Tokens, Tokens], Any] = step
    return compiled


def _autograd_step(model: Translator, optimizer: Any) -> Callable[[Tokens, Tokens], Any]:
    import torch

    variables = model.trainable_variables

    def step(sources: Tokens, targets: Tokens) -> Any:
        model.zero_grad()
        loss = masked_loss(targets[:, 1:], model(sources, targets, training=True))
        loss.backward()
        with torch.no_grad():
            optimizer.apply([variable.value.grad for variable in variables], variables)
        return loss.detach()

    return step


@contextmanager
def _dtype(name: str) -> Iterator[None]:
    """Let layers that are made meanwhile be of this dtype, as Keras has them take it."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
