"""Training an emulation takes the same steps as training the Keras layer.

Covers: `frameworks/keras_in_torch/layers`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch

from frameworks import emulate

BATCH, TIME, INPUT, UNITS = 4, 3, 2, 5
NUMBERS = np.random.default_rng(0)
X = NUMBERS.normal(size=(BATCH, TIME, INPUT))
TARGET = NUMBERS.normal(size=(BATCH, TIME, UNITS))
MASK = NUMBERS.random((BATCH, TIME)) < 0.7
STEPS, RATE = 20, 1 / 16
"""A rate that is exact in float32, in which Keras keeps it."""
LAYERS: dict[str, dict[str, Any]] = {
    "SimpleRNN": {},
    "LSTM": {},
    "GRU": {},
    "GRU, reset before": {"reset_after": False},
    "two": {},
}


def make(name: str) -> Any:
    layers = import_module("keras").layers
    how = {"return_sequences": True, "dtype": "float64"}
    if name == "two":
        return layers.Bidirectional(layers.LSTM(UNITS, **how), merge_mode="ave", dtype="float64")
    return getattr(layers, name.partition(",")[0])(UNITS, **how, **LAYERS[name])


def train_keras(layer: Any, steps: int = STEPS) -> None:
    keras = import_module("keras")
    ops = keras.ops
    x, target, mask = (ops.convert_to_tensor(array) for array in (X, TARGET, MASK))
    optimizer = keras.optimizers.SGD(RATE)

    def loss() -> Any:
        return ops.mean(ops.square(layer(x, mask=mask) - target))

    for _ in range(steps):
        if keras.backend.backend() == "tensorflow":
            tensorflow = import_module("tensorflow")
            with tensorflow.GradientTape() as tape:
                value = loss()
            gradients = tape.gradient(value, [variable.value for variable in layer.trainable_variables])
        else:
            gradients = torch.autograd.grad(loss(), [variable.value for variable in layer.trainable_variables])
        optimizer.apply(gradients, layer.trainable_variables)


def train_torch(module: Any, steps: int = STEPS) -> None:
    optimizer = torch.optim.SGD(module.parameters(), lr=RATE)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(module(torch.from_numpy(X), mask=torch.from_numpy(MASK)), torch.from_numpy(TARGET))
        torch.autograd.backward(loss)
        optimizer.step()


def distance(one: Any, other: Any) -> float:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return max(float((a - b).detach().abs().max()) for a, b in pairs)


@pytest.mark.backend
@pytest.mark.parametrize("name", LAYERS)
def test_twenty_steps_follow_keras_s(name: str, randomise: Any) -> None:
    tolerance = 1e-12 if import_module("keras").backend.backend() == "tensorflow" else 1e-5
    layer = make(name)
    layer.build((None, TIME, INPUT))
    module, start = (emulate(randomise(layer)) for _ in range(2))
    train_keras(layer)
    train_torch(module)
    trained = emulate(layer)
    assert distance(trained, start) > 1e-2
    assert distance(module, trained) < tolerance
    if "LSTM" in name:  # torch's own layer trains both biases, so its steps differ
        both = start.requires_grad_()
        train_torch(both)
        assert distance(both, trained) > 1e-3


@pytest.mark.backend
def test_what_does_not_train_in_keras_does_not_train_here(randomise: Any) -> None:
    layer = make("two")
    layer.build((None, TIME, INPUT))
    randomise(layer).backward_layer.trainable = False
    module = emulate(layer)
    assert {name for name, each in module.named_parameters() if each.requires_grad} == {
        "weight_ih_l0",
        "weight_hh_l0",
        "bias_ih_l0",
    }
    start = emulate(layer)
    train_keras(layer, steps=4)
    train_torch(module, steps=4)
    assert distance(module, emulate(layer)) < 1e-5
    assert distance(module, start) > 1e-3
