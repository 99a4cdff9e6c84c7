"""Training follows torch's, with both biases and with dropout between layers.

Covers: `frameworks/torch_in_keras/layers`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import torch

from frameworks import convert
from frameworks.keras.tensors import to_numpy
from frameworks.torch_in_keras.layers import TorchLSTM, TorchRNN, emulate

pytestmark = pytest.mark.backend

RATE = 1 / 16  # exact in float32, in which Keras keeps it


def train_torch(module: Any, x: Any, target: Any) -> None:
    optimizer = torch.optim.SGD(module.parameters(), lr=RATE)
    for _ in range(20):
        optimizer.zero_grad()
        output, _ = module(torch.tensor(x))
        ((output - torch.tensor(target)) ** 2).mean().backward()
        optimizer.step()


def train_keras(layer: Any, x: Any, target: Any, gradients: Callable[..., Any]) -> None:
    optimizer = keras.optimizers.SGD(RATE)

    def loss(called: Any, tensors: Any) -> Any:
        # not ops.mean, which rounds to float32 on every backend but TensorFlow
        return keras.ops.sum(keras.ops.subtract(called(tensors[0])[0], target) ** 2) / target.size

    for _ in range(20):
        _, *by_variables = gradients(layer, [x], loss)
        optimizer.apply([keras.ops.convert_to_tensor(one) for one in by_variables], layer.trainable_variables)


def farthest(layer: Any, module: Any) -> float:
    pairs = ((to_numpy(getattr(layer, name)), one.detach().numpy()) for name, one in module.named_parameters())
    return max(float(np.abs(one - other).max()) for one, other in pairs)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_weights_after_twenty_steps_are_torchs(kind: str, draw: Callable[..., Any], gradients: Callable[..., Any]) -> None:
    call = draw(kind, {"input_size": 3, "hidden_size": 4, "num_layers": 2, "dtype": torch.float64}, batch=4, time=3)
    target = np.random.default_rng(1).standard_normal((3, 4, 4))
    train_torch(call.module, call.inputs, target)
    assert farthest(call.layer, call.module) > 1e-3
    train_keras(call.layer, call.inputs, target, gradients)
    assert farthest(call.layer, call.module) < call.tolerance


def test_fit_follows_torch_where_kerass_own_layer_does_not(draw: Callable[..., Any]) -> None:
    call = draw("LSTM", {"input_size": 3, "hidden_size": 4, "batch_first": True}, batch=8, time=5)
    target = np.random.default_rng(1).standard_normal((8, 5, 4)).astype("float32")
    native = convert(call.module, to="keras")
    for layer in (call.layer, native):
        inputs = keras.Input((None, 3))
        model = keras.Model(inputs, layer(inputs)[0])
        model.compile(keras.optimizers.SGD(RATE), "mse")
        model.fit(call.inputs, target, batch_size=8, epochs=20, verbose=0)
    train_torch(call.module, call.inputs, target)
    assert farthest(call.layer, call.module) < 1e-6
    bias = (call.module.bias_ih_l0 + call.module.bias_hh_l0).detach().numpy()
    assert np.abs(to_numpy(native.cell.bias) - bias).max() > 1e-2


def test_a_frozen_bias_stays_as_it_is(gradients: Callable[..., Any]) -> None:
    module: Any = torch.nn.LSTM(3, 4, dtype=torch.float64)
    module.bias_hh_l0.requires_grad = False
    layer, before = emulate(module), module.bias_hh_l0.numpy().copy()
    x = np.random.default_rng(0).standard_normal((2, 2, 3))
    train_keras(layer, x, np.zeros((2, 2, 4)), gradients)
    np.testing.assert_array_equal(to_numpy(layer.bias_hh_l0), before)
    assert np.abs(to_numpy(layer.bias_ih_l0) - module.bias_ih_l0.detach().numpy()).max() > 1e-4


def passing(num_layers: int, dropout: float) -> TorchRNN:
    """A relu RNN in which every layer passes on its input."""
    layer = TorchRNN(6, 6, num_layers, "relu", bias=False, dropout=dropout)
    layer.build()
    for variable in layer.weights:
        variable.assign(np.eye(6) if variable.name.startswith("weight_ih") else np.zeros((6, 6)))
    return layer


X = np.random.default_rng(0).uniform(1, 2, (40, 30, 6)).astype("float32")
"""(time, batch, input), all positive."""


def test_each_output_between_layers_is_dropped_by_itself_and_the_rest_scaled() -> None:
    output, h_n = (to_numpy(one) for one in passing(2, 0.25)(X, training=True))
    kept = output != 0
    np.testing.assert_allclose(output[kept], X[kept] / 0.75, rtol=1e-6)
    assert kept.mean() == pytest.approx(0.75, abs=0.03)  # 7,200 draws: five standard deviations are 0.026
    for axis in range(3):  # no axis shares a mask, unlike Keras's dropout inside a cell, which shares it over time
        assert not np.array_equal(np.take(kept, 0, axis), np.take(kept, 1, axis))
    assert np.corrcoef(kept[:-1].ravel(), kept[1:].ravel())[0, 1] == pytest.approx(0, abs=0.06)
    np.testing.assert_array_equal(h_n[0], X[-1])  # the state of the first layer is the one before dropout
    np.testing.assert_array_equal(h_n[1], output[-1])


def test_three_layers_drop_twice() -> None:
    output = to_numpy(passing(3, 0.5)(X, training=True)[0])
    kept = output != 0
    np.testing.assert_allclose(output[kept], X[kept] * 4, rtol=1e-6)
    assert kept.mean() == pytest.approx(0.25, abs=0.03)


def test_masks_are_drawn_anew_for_each_call() -> None:
    layer = passing(2, 0.5)
    first, second = (to_numpy(layer(X, training=True)[0]) for _ in range(2))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("training", [None, False])
def test_inference_drops_nothing(*, training: bool | None) -> None:
    np.testing.assert_array_equal(to_numpy(passing(2, 0.5)(X, training=training)[0]), X)


def test_everything_may_be_dropped() -> None:
    output, h_n = (to_numpy(one) for one in passing(2, 1.0)(X, training=True))
    assert not output.any()
    np.testing.assert_array_equal(h_n[0], X[-1])


@pytest.mark.filterwarnings("ignore:Gradients do not exist")  # Keras warns of the first layer, whose output is dropped
def test_fit_drops_and_predict_does_not() -> None:
    layer = TorchLSTM(2, 3, 2, batch_first=True, dropout=1.0)
    inputs = keras.Input((None, 2))
    model = keras.Model(inputs, layer(inputs)[0])
    model.compile("sgd", "mse")
    x = np.ones((4, 3, 2), "float32")
    output, before = model.predict(x, verbose=0), [to_numpy(one).copy() for one in layer.weights]
    np.testing.assert_allclose(output, to_numpy(layer(x)[0]), atol=1e-6)
    model.fit(x, np.ones((4, 3, 3)), verbose=0)
    changed = {one.name for one, old in zip(layer.weights, before, strict=True) if not np.array_equal(to_numpy(one), old)}
    assert changed == {"weight_hh_l1", "bias_ih_l1", "bias_hh_l1"}  # nothing came through from below


def test_dropout_without_a_layer_to_act_on_is_warned_of_as_torch_does() -> None:
    with pytest.warns(UserWarning, match="num_layers=1"):
        TorchLSTM(2, 3, dropout=0.5)
