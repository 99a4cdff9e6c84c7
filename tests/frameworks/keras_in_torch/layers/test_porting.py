"""Which Keras object becomes which module: Keras 2's layers, half precision, dtypes, and refusals."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch

from frameworks import emulate
from frameworks.keras_in_torch.layers import KerasBidirectional, KerasGRU, KerasGRUCell, KerasLSTM, KerasLSTMCell, KerasRNN

BATCH, TIME, INPUT, UNITS = 3, 5, 2, 4
X = np.random.default_rng(0).normal(size=(BATCH, TIME, INPUT)).astype(np.float32)
MASK = np.array([[1, 1, 0, 1, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], bool)

KERAS_2: dict[str, Callable[[Any], Any]] = {
    "hard sigmoid": lambda of: of.LSTM(UNITS, recurrent_activation="hard_sigmoid", return_sequences=True, return_state=True),
    "GRU": lambda of: of.GRU(UNITS, recurrent_activation="hard_sigmoid", reset_after=False, return_sequences=True),
    "swish": lambda of: of.SimpleRNN(UNITS, "swish", go_backwards=True, return_sequences=True),
    "two": lambda of: of.Bidirectional(of.GRU(UNITS, return_sequences=True), merge_mode="sum"),
    "stack": lambda of: of.RNN([of.LSTMCell(3), of.LSTMCell(UNITS)], return_state=True),
    "cells": lambda of: of.Bidirectional(of.RNN(of.GRUCell(UNITS), return_sequences=True), merge_mode=None),
}


def leaves(nest: Any) -> list[Any]:
    return [leaf for entry in nest for leaf in leaves(entry)] if isinstance(nest, (list, tuple)) else [nest]


@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "holes"])
@pytest.mark.parametrize("name", KERAS_2)
def test_a_layer_of_keras_2_keeps_keras_2_s_behaviour(name: str, mask: Any, randomise: Any) -> None:
    layer = KERAS_2[name](import_module("tf_keras").layers)
    layer(X)
    module = emulate(randomise(layer))
    expected = layer(X, mask=mask)
    actual = module(torch.from_numpy(X), mask=None if mask is None else torch.from_numpy(mask))
    for one, other in zip(leaves(expected), leaves(actual), strict=True):
        np.testing.assert_allclose(other.detach(), one.numpy(), atol=1e-6)


def test_keras_3_s_hard_sigmoid_would_be_another_layer(randomise: Any) -> None:
    layer = KERAS_2["hard sigmoid"](import_module("tf_keras").layers)
    layer(X)
    module = emulate(randomise(layer))
    other = KerasLSTM(UNITS, recurrent_activation="hard_sigmoid", return_sequences=True)
    other.load_state_dict(module.state_dict())
    assert (other(torch.from_numpy(X)) - module(torch.from_numpy(X))[0]).abs().max() > 1e-3


HALF = {"mixed_float16": 4e-3, "mixed_bfloat16": 3e-2, "float16": 4e-3, "bfloat16": 3e-2}
"""A few roundings of values below one, as between the frameworks' own layers in half precision."""


@pytest.mark.backend
@pytest.mark.parametrize("policy", HALF)
@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU", "GRU, reset before", "two"])
def test_half_precision_stays_within_its_rounding(kind: str, policy: str) -> None:
    keras = import_module("keras")
    how = {"return_sequences": True, "return_state": True, "dtype": policy, "recurrent_initializer": "zeros"}
    if kind == "two":
        layer = keras.layers.Bidirectional(keras.layers.LSTM(UNITS, **how), dtype=policy)
    else:
        reset = {"reset_after": False} if "before" in kind else {}
        layer = getattr(keras.layers, kind.partition(",")[0])(UNITS, **how, **reset)
    layer.build((None, TIME, INPUT))
    for variable in layer.weights:
        variable.assign(keras.ops.cast(np.random.default_rng(1).normal(0, 0.4, variable.shape), variable.dtype))
    module = emulate(layer)
    expected = layer(X)
    actual = module(torch.from_numpy(X))
    gaps = []
    for one, other in zip(leaves(expected), leaves(actual), strict=True):
        assert str(other.dtype) == f"torch.{keras.backend.standardize_dtype(one.dtype)}"
        gaps.append(np.abs(keras.ops.convert_to_numpy(keras.ops.cast(one, "float32")) - other.detach().float().numpy()).max())
    assert max(gaps) < HALF[policy]
    (actual if isinstance(actual, torch.Tensor) else actual[0]).float().sum().backward()
    kept = torch.float32 if policy.startswith("mixed") else getattr(torch, policy)
    assert all(parameter.grad.dtype == kept for parameter in module.parameters() if parameter.grad is not None)


def of_keras() -> Any:
    return import_module("keras").layers


def own_cell() -> Any:
    keras = import_module("keras")

    class OwnCell(keras.layers.Layer):  # type: ignore[misc,name-defined,unused-ignore]
        state_size = output_size = UNITS

        def call(self, inputs: Any, states: Any) -> Any:
            return states[0] + inputs[:, :1], states

    class OwnGRUCell(keras.layers.GRUCell):  # type: ignore[misc,name-defined,unused-ignore]
        def call(self, inputs: Any, states: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002  Keras's
            return super().call(2 * inputs, states, training=training)

    return OwnCell, OwnGRUCell


def called(layer: Any, inputs: Any = X) -> Any:
    layer(inputs)
    return layer


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a custom cell": (lambda: called(of_keras().RNN(own_cell()[0]())), "OwnCell"),
    "a cell that overrides": (lambda: called(of_keras().RNN(own_cell()[1](UNITS))), "OwnGRUCell"),
    "an unbuilt layer": (lambda: of_keras().LSTM(UNITS), "built"),
    "an unbuilt embedding": (lambda: [of_keras().Embedding(3, 2), called(of_keras().LSTM(UNITS))], "Embedding"),
    "another layer": (lambda: called(of_keras().Dense(3)), "Dense"),
    "another layer in a list": (lambda: [called(of_keras().LSTM(UNITS)), of_keras().Dense(3)], "Dense"),
    "a convolution": (lambda: of_keras().ConvLSTM1D(3, 2), "ConvLSTM1D"),
    "dropout in blocks": (
        lambda: [called(of_keras().LSTM(UNITS)), of_keras().Dropout(0.5, noise_shape=(None, 1, None))],
        "noise_shape",
    ),
    "a wrapper of another dtype": (
        lambda: called(of_keras().Bidirectional(of_keras().LSTM(UNITS, dtype="float64")), X.astype(np.float64)),
        "float32 and float64",
    ),
    "a stack of another dtype": (
        lambda: called(of_keras().RNN([of_keras().LSTMCell(UNITS, dtype="float64")], dtype="float64"), X.astype(np.float64)),
        "float32 and float64",
    ),
    "cells of another dtype": (
        lambda: called(of_keras().RNN(of_keras().StackedRNNCells([of_keras().LSTMCell(UNITS, dtype="float64")]))),
        "float32 and float64",
    ),
    "a masking of another dtype": (
        lambda: called(
            import_module("keras").Sequential([of_keras().Masking(), of_keras().LSTM(UNITS, dtype="float64")]),
            X.astype(np.float64),
        ),
        "float32 and float64",
    ),
    "an input that rounds": (
        lambda: import_module("keras").Sequential(
            [import_module("keras").Input((None, INPUT)), of_keras().LSTM(UNITS, dtype="float64")]
        ),
        "float32, which rounds",
    ),
    "torch's own": (lambda: torch.nn.LSTM(2, 3), "another framework"),
    "nothing": (list, "empty list"),
    "time first": (lambda: import_module("tf_keras").layers.LSTM(UNITS, time_major=True), "time_major"),
}


@pytest.mark.backend
@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_emulation_is_refused_by_name(name: str, refused: Any) -> None:
    make, said = REFUSED[name]
    native = make()
    with refused(said):
        emulate(native)


@pytest.mark.backend
def test_a_callable_activation_is_accepted_if_torch_can_run_it(refused: Any) -> None:
    keras = import_module("keras")
    layer = called(keras.layers.LSTM(UNITS, activation=lambda x: keras.ops.tanh(x) * 2, return_sequences=True))
    if keras.backend.backend() == "torch":
        expected = keras.ops.convert_to_numpy(layer(X))
        np.testing.assert_allclose(emulate(layer)(torch.from_numpy(X)).detach(), expected, atol=1e-6)
    else:
        with refused("activation", "Write it with torch"):
            emulate(layer)


@pytest.mark.backend
def test_each_keras_object_becomes_the_module_one_writes_by_hand() -> None:
    layers = of_keras()
    pairs: list[tuple[Any, Any]] = [
        (layers.LSTM(UNITS, dropout=0.2), KerasLSTM(UNITS, dropout=0.2)),
        (layers.GRU(UNITS, reset_after=False, return_state=True), KerasGRU(UNITS, reset_after=False, return_state=True)),
        (layers.Bidirectional(layers.GRU(UNITS), merge_mode="mul"), KerasBidirectional(KerasGRU(UNITS), "mul")),
        (
            layers.RNN([layers.LSTMCell(3), layers.GRUCell(UNITS, use_bias=False)]),
            KerasRNN([KerasLSTMCell(3), KerasGRUCell(UNITS, use_bias=False)]),
        ),
    ]
    for native, expected in pairs:
        module = emulate(called(native))
        assert not module.training
        expected.build(INPUT)
        assert module.options == expected.options
        # KerasBidirectional overrides the layers' rule for masked steps, as Keras does.
        assert [reading.cells for reading in module.readings] == [reading.cells for reading in expected.readings]
        assert [reading.go_backwards for reading in module.readings] == [reading.go_backwards for reading in expected.readings]
        assert {name: each.shape for name, each in module.state_dict().items()} == {
            name: each.shape for name, each in expected.state_dict().items()
        }
