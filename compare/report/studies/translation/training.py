"""The two sides of a comparison of trainings: the same parameters, the same rule, the same batches."""

from __future__ import annotations

from typing import Any, Protocol

from compare import training
from compare.report.studies.translation.batches import Batch, Tokens
from compare.report.studies.translation.copying import copy_model
from compare.report.studies.translation.setting import Setting
from compare.training.states import Array
from frameworks import freeze_second_bias, optimizer_like


class Side(training.Side, Protocol):
    """A model and its optimizer in one framework. Its steps depend only on the parameters and the batches."""

    framework: str
    model: Any
    """The translator."""
    optimizer: Any

    def predict(self, batch: Batch) -> Array:
        """Return the logits under teacher forcing, in inference mode: (batch, time - 1, vocab)."""

    def translate(self, sources: Tokens) -> tuple[Tokens, Array]:
        """Return the greedy translation, (batch, time), and its attention, (batch, time, source)."""


def build_sides(setting: Setting) -> tuple[Side, Side]:
    """Build the translator in Keras and in PyTorch, both with Keras's initial parameters and Keras's optimizer rule."""
    import keras

    from compare.report.studies.translation.keras import training as in_keras
    from compare.report.studies.translation.pytorch import training as in_pytorch

    model, ported = in_keras.build_model(setting), in_pytorch.build_model(setting)
    copy_model(model, ported)
    freeze_second_bias(ported)
    optimizer = getattr(keras.optimizers, setting.optimizer)(**setting.optimizer_config)
    followed = optimizer_like(optimizer, in_pytorch.trained(ported))
    keras_side = in_keras.KerasSide(model, optimizer, added_up=setting.added_up)
    return keras_side, in_pytorch.PyTorchSide(ported, followed, setting.seed)
