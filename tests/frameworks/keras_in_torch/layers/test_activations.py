"""Activations are Keras's to the last digits, gradients included; functions that torch cannot run are refused."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch

from frameworks.activations import ACTIVATIONS as NAMES
from frameworks.keras_in_torch.layers import KerasGRU, KerasLSTM
from frameworks.keras_in_torch.layers.activations import ACTIVATIONS, find_activation, name_activation

GRID = np.vstack([np.random.default_rng(0).normal(0, 4, (40, 5)), [[21.0, -21.0, 25.0, 0.125, -0.125]]])
"""On both sides of every kink, none exactly on one, and far enough out that torch's softplus would approximate."""
BUILT_IN = sorted(set(ACTIVATIONS) - {"keras2_hard_sigmoid"})
UNFIT = {"glu", "threshold"}
ROUNDED = {"tensorflow": {"gelu", "leaky_relu"}, "torch": {"hard_sigmoid", "hard_silu", "softplus"}}
"""Activations that Keras's backends compute with float32 constants, or approximate, in float64 too."""


def of_torch(function: Callable[[torch.Tensor], torch.Tensor]) -> tuple[Any, Any]:
    """Return the values and the gradient of their sum of squares."""
    x = torch.from_numpy(GRID).requires_grad_()
    y = function(x)
    torch.autograd.backward((y * y).sum())
    assert x.grad is not None
    return y.detach().numpy(), x.grad.numpy()


def of_keras(function: Any) -> tuple[Any, Any]:
    keras = import_module("keras")
    if keras.backend.backend() == "torch":
        return of_torch(function)
    tensorflow = import_module("tensorflow")
    x = tensorflow.constant(GRID)
    with tensorflow.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
        total = tensorflow.reduce_sum(y * y)
    return y.numpy(), tape.gradient(total, x).numpy()


@pytest.mark.backend
@pytest.mark.parametrize("name", BUILT_IN)
def test_every_activation_is_keras_s_own(name: str) -> None:
    keras = import_module("keras")
    tolerance = 1e-6 if name in ROUNDED[keras.backend.backend()] else 1e-13
    for expected, actual in zip(of_keras(keras.activations.get(name)), of_torch(find_activation(name)), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.backend
def test_no_activation_of_keras_is_left_out() -> None:
    activations = import_module("keras.src.activations")
    assert {function.__name__ for function in activations.ALL_OBJECTS} == {*BUILT_IN, *UNFIT}
    assert set(ACTIVATIONS) == set(NAMES)  # and so does the reference


@pytest.mark.parametrize("name", sorted(UNFIT))
def test_an_activation_that_no_recurrent_layer_runs_with_is_refused(name: str, refused: Any) -> None:
    keras = import_module("keras")
    with refused("activation", name):
        KerasLSTM(4, name)
    with pytest.raises(Exception, match=r"."):  # whatever the backend raises
        keras.layers.LSTM(3, name)(np.zeros((1, 2, 2), np.float32))


def test_keras_2_s_hard_sigmoid_is_steeper_than_keras_3_s() -> None:
    tf_keras = import_module("tf_keras")
    expected = tf_keras.activations.hard_sigmoid(import_module("tensorflow").constant(GRID)).numpy()
    np.testing.assert_allclose(ACTIVATIONS["keras2_hard_sigmoid"](torch.from_numpy(GRID)), expected, atol=1e-15)
    assert np.abs(ACTIVATIONS["hard_sigmoid"](torch.from_numpy(GRID)).numpy() - expected).max() > 0.08


def test_torch_s_own_functions_would_not_do_in_float64() -> None:
    owns: dict[str, Any] = {"hard_sigmoid": torch.nn.functional.hardsigmoid, "softplus": torch.nn.functional.softplus}
    for name, own in owns.items():
        pairs = zip(of_torch(own), of_torch(ACTIVATIONS[name]), strict=True)
        assert max(np.abs(actual - expected).max() for actual, expected in pairs) > 1e-10


@pytest.mark.parametrize(("alias", "name"), [("swish", "silu"), ("hard_swish", "hard_silu"), (None, "linear")])
def test_aliases_are_understood(alias: str | None, name: str) -> None:
    assert name_activation(alias, "activation") == name


@pytest.mark.parametrize("function", [torch.tanh, torch.nn.functional.tanh, torch.nn.Tanh(), lambda x: x.tanh()])
def test_a_torch_function_is_taken_as_it_is(function: Any) -> None:
    torch.manual_seed(0)
    named, given = KerasLSTM(4, input_size=3, return_sequences=True), KerasLSTM(4, function, return_sequences=True)
    given.load_state_dict(named.state_dict())
    x = torch.randn(2, 5, 3)
    torch.testing.assert_close(given(x), named(x))
    other = KerasLSTM(4, torch.sin, return_sequences=True)
    other.load_state_dict(named.state_dict())
    assert (other(x) - named(x)).abs().max() > 1e-3


UNUSABLE = {
    "NumPy's": (np.tanh, "tanh"),
    "of TensorFlow": (lambda x: import_module("tensorflow").tanh(x), "raises"),
    "of another shape": (lambda x: x.sum(), "()"),
    "of another dtype": (lambda x: x > 0, "torch.bool"),
    "a class": (torch.nn.ELU, "ELU"),
    "a number": (3, "not callable"),
    "of Python's math": (__import__("math").tanh, "tanh"),
}


@pytest.mark.parametrize("name", UNUSABLE)
@pytest.mark.parametrize("argument", ["activation", "recurrent_activation"])
def test_a_callable_that_torch_cannot_run_is_refused_when_the_layer_is_made(argument: str, name: str, refused: Any) -> None:
    function, said = UNUSABLE[name]
    with refused(argument, said):
        KerasGRU(4, **{argument: function})


def test_an_unknown_name_is_refused_with_the_known_ones(refused: Any) -> None:
    with refused("'tanhh'", "hard_sigmoid", "torch function"):
        KerasLSTM(4, "tanhh")
