"""A training by hand, with the parts that compare_training is made of.

Covers: `compare/training/keras.py`, `compare/training/pytorch.py`, `compare/training/parameters.py`.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

from compare.training import KerasSide, PyTorchSide, parameter_reader, train_together
from frameworks import copy_weights, freeze_second_bias, loss_like, optimizer_like
from frameworks.keras.tensors import to_numpy


class Port(nn.Module):
    """Embedding, LSTM, Linear."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.lstm, self.head = nn.Embedding(9, 4), nn.LSTM(4, 5, batch_first=True), nn.Linear(5, 3)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.lstm(self.embedding(tokens))[0])
        return logits


def pair() -> tuple[Any, Port]:
    keras.utils.set_random_seed(1)
    layers = keras.layers
    embedding, lstm, head = layers.Embedding(9, 4, mask_zero=True), layers.LSTM(5, return_sequences=True), layers.Dense(3)
    model, port = keras.Sequential([keras.Input((6,), dtype="int32"), embedding, lstm, head]), Port()
    with torch.no_grad():
        port.embedding.weight.copy_(torch.tensor(to_numpy(embedding.embeddings)))
        port.head.weight.copy_(torch.tensor(to_numpy(head.kernel)).T)
        port.head.bias.zero_()
    copy_weights(lstm, port.lstm)
    return model, freeze_second_bias(port)


def batch_of(step: int) -> Any:
    rng = np.random.default_rng(step)
    tokens = rng.integers(1, 9, (4, 6), dtype=np.int32)
    tokens[1, 4:] = tokens[2, 2:] = 0
    return tokens, rng.integers(0, 3, (4, 6))


@pytest.mark.backend
@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("masked", [True, False])
def test_a_masked_model_trains_by_hand_as_its_port_does_and_a_forgotten_mask_is_caught(*, masked: bool) -> None:
    model, port = pair()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(0.1)
    pairs = list(zip(model.layers, port.children(), strict=True))
    names = ("embedding", "lstm", "head")

    def in_keras(tokens: Any, classes: Any) -> Any:
        return loss(classes, model(tokens, training=True))

    def in_torch(tokens: Any, classes: Any) -> Any:
        tokens = torch.as_tensor(tokens)
        return loss_like(loss)(port(tokens), torch.as_tensor(classes), mask=tokens != 0 if masked else None)

    keras_side = KerasSide(model, optimizer, in_keras, parameter_reader(dict(zip(names, model.layers, strict=True))))
    torch_side = PyTorchSide(
        port, optimizer_like(optimizer, pairs), in_torch, parameter_reader(dict(zip(names, port.children(), strict=True)))
    )
    trajectory = train_together({"keras": keras_side, "pytorch": torch_side}, batch_of, 5)
    assert (trajectory.loss_gap("pytorch").max() < 1e-6) == masked
    assert (trajectory.farthest("pytorch").max() < 1e-6) == masked
