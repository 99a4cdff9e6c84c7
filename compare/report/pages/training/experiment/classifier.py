"""A small classifier, trained in both frameworks with the same rule on the same batches: which word came first?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from compare.report.snippets import run_snippet
from frameworks import freeze_second_bias, initialise_like_keras, initialise_like_pytorch, optimizer_like

_WORDS, _TIME, _BATCH, _RATE = 8, 8, 32, 0.01
Losses = list[float]


class Classifier:
    """Both models, their data and their training.

    Args:
        steps: number of batches to train on.
        seeds: number of trainings from each start.
    """

    KERAS: ClassVar = """\
model = keras.Sequential([keras.layers.Embedding(8, 16), keras.layers.LSTM(16, unroll=True), keras.layers.Dense(8)])
model.build((None, 8))
"""
    PYTORCH: ClassVar = """\
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(8, 16)
        self.lstm = torch.nn.LSTM(16, 16, batch_first=True)
        self.out = torch.nn.Linear(16, 8)

    def forward(self, ids):                                  # (batch, time)
        return self.out(self.lstm(self.embed(ids))[0][:, -1])

model = Model()
"""

    def __init__(self, steps: int, seeds: int) -> None:
        """Draw the data."""
        self.seeds = range(seeds)
        self.ids = np.random.default_rng(0).integers(0, _WORDS, (steps, _BATCH, _TIME))
        self.first = self.ids[:, :, 0].copy()

    def train(self) -> dict[str, list[Losses]]:
        """Return the losses, by start, seed and step: each framework starts from its default and from the other's."""
        train_keras = self._keras_training()
        return {
            "keras": [train_keras(_keras_model(seed)) for seed in self.seeds],
            "pytorch": [self._train_torch(_torch_model(seed)) for seed in self.seeds],
            "initialise_like_keras": [
                self._train_torch(initialise_like_keras(_torch_model(seed), seed=seed)) for seed in self.seeds
            ],
            "initialise_like_pytorch": [
                train_keras(initialise_like_pytorch(_keras_model(seed), seed=seed)) for seed in self.seeds
            ],
        }

    def _keras_training(self) -> Callable[[Any], Losses]:
        """Return a function that trains a model in a graph shared by all of them, since building it takes longer than running it."""
        import keras
        import tensorflow as tf

        model, optimizer = _keras_model(0), keras.optimizers.Adam(_RATE)
        optimizer.build(model.trainable_variables)
        fresh = [variable.numpy() for variable in optimizer.variables]
        judge = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        ids, first = tf.constant(self.ids), tf.constant(self.first)

        @tf.function(autograph=False)  # type: ignore[untyped-decorator]
        def step(index: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = judge(first[index], model(ids[index]))
            variables = model.trainable_variables
            gradients = tape.gradient(loss, [variable.value for variable in variables])
            # An embedding's gradient has one row per token, and Keras's rules would square each row.
            optimizer.apply([tf.convert_to_tensor(gradient) for gradient in gradients], variables)
            return loss

        def train(start: Any) -> Losses:
            model.set_weights(start.get_weights())
            for variable, value in zip(optimizer.variables, fresh, strict=True):
                variable.assign(value)
            return [float(step(index)) for index in tf.range(len(self.ids))]

        return train

    def _train_torch(self, model: Any) -> Losses:
        import keras
        import torch

        freeze_second_bias(model)  # so that nothing but the start differs
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimizer = optimizer_like(keras.optimizers.Adam(_RATE), trained)
        losses = []
        for ids, first in zip(torch.from_numpy(self.ids), torch.from_numpy(self.first), strict=True):
            optimizer.zero_grad()
            loss: Any = torch.nn.functional.cross_entropy(model(ids), first)
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        return losses


def _keras_model(seed: int) -> Any:
    import keras

    keras.utils.set_random_seed(seed)
    return run_snippet(Classifier.KERAS, {"keras": keras})[1]["model"]


def _torch_model(seed: int) -> Any:
    import torch

    torch.manual_seed(seed)
    return run_snippet(Classifier.PYTORCH, {"torch": torch, "__name__": "__snippet__"})[1]["model"]
