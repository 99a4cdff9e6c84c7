"""The translator in Keras as one side of a training."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import keras
import numpy as np

from compare.report.studies.translation import copying
from compare.report.studies.translation.batches import END, LENGTH, LETTERS, SOUNDS, START, Batch, Tokens
from compare.report.studies.translation.keras.loss import masked_loss
from compare.report.studies.translation.keras.translator import Translator
from compare.report.studies.translation.setting import Setting
from compare.training import keras as training
from compare.training.states import Array
from frameworks.keras.building import untouched_random
from frameworks.keras.tensors import to_numpy


def build_model(setting: Setting) -> Translator:
    """Build the translator with Keras's initialisation. The same seed makes the same model."""
    cell = import_module(f"compare.report.studies.translation.keras.{setting.cell}")
    with _dtype(setting.dtype), untouched_random():
        random.seed(setting.seed)  # every Keras layer derives its seed from here
        encoder = cell.Encoder(LETTERS.size, setting.embedding_dim, setting.units)
        decoder = cell.Decoder(SOUNDS.size, setting.embedding_dim, setting.units, setting.dropout)
        model = Translator(encoder, decoder)
        model(np.zeros((1, 2), np.int32), np.zeros((1, 2), np.int32))
    return model


class KerasSide(training.KerasSide):
    """A Keras translator and its optimizer: see `compare.report.studies.translation.training.Side`."""

    def __init__(self, model: Translator, optimizer: Any, *, added_up: bool = True) -> None:
        """Wrap a model that was called before, and its optimizer; `added_up` is the setting's."""

        def loss_of(sources: Any, targets: Any) -> Any:
            return masked_loss(targets[:, 1:], model(sources, targets, training=True))

        super().__init__(model, optimizer, loss_of, lambda: copying.parameters(model), added_up=added_up)

    def predict(self, batch: Batch) -> Array:
        """Return the logits under teacher forcing, in inference mode: (batch, time - 1, vocab)."""
        return to_numpy(self.model(*batch, training=False))

    def translate(self, sources: Tokens) -> tuple[Tokens, Array]:
        """Return the greedy translation, (batch, time), and its attention, (batch, time, source)."""
        tokens, attention = self.model.translate(sources, START, END, LENGTH - 1)
        return to_numpy(tokens), to_numpy(attention)


@contextmanager
def _dtype(name: str) -> Iterator[None]:
    """Set the dtype policy of all layers made within the block."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
