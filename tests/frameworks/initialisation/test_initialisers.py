"""Weights start from Keras's distributions, with the bounds, moments and structure of Keras's own initialisers.

Covers: `frameworks/keras_in_torch/initialisers.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch

from frameworks.keras_in_torch.initialisers import INITIALISERS, check_initialiser, fill
from frameworks.keras_in_torch.layers import KerasBidirectional, KerasGRU, KerasLSTM, KerasSimpleRNN

FAN_IN, FAN_OUT = 90, 210
RANDOM = sorted(set(INITIALISERS) - {"zeros", "ones", "identity", "orthogonal"})
LAYERS = {"SimpleRNN": KerasSimpleRNN, "LSTM": KerasLSTM, "GRU": KerasGRU}


def ours(name: str, *shape: int) -> Any:
    """Draw a torch weight and return it in Keras's layout."""
    torch.manual_seed(0)
    weight = torch.empty(*reversed(shape))
    fill(weight, name)
    return weight.numpy().T


def keras_s(name: str, *shape: int) -> Any:
    keras = import_module("keras")
    keras.utils.set_random_seed(0)
    return np.array(keras.ops.convert_to_numpy(keras.initializers.get(name)(shape, dtype="float32")))


def describe(numbers: Any) -> tuple[float, float, float, float]:
    """Return deviation, bound, fourth moment and mean, by which distributions can be told apart."""
    deviation = float(numbers.std())
    return deviation, float(np.abs(numbers).max()), float(((numbers / deviation) ** 4).mean()), float(numbers.mean())


def alike(one: Any, other: Any) -> bool:
    (s1, b1, k1, m1), (s2, b2, k2, m2) = describe(one), describe(other)
    bounded = abs(k1 - 3) > 0.2  # a normal distribution has no bound
    return (
        abs(s1 / s2 - 1) < 0.02
        and abs(k1 / k2 - 1) < 0.05
        and abs(m1 - m2) < 0.05 * s1
        and (not bounded or abs(b1 / b2 - 1) < 0.03)
    )


@pytest.mark.backend
@pytest.mark.parametrize("name", RANDOM)
def test_a_kernel_is_drawn_as_keras_draws_it(name: str) -> None:
    assert alike(ours(name, FAN_IN, FAN_OUT), keras_s(name, FAN_IN, FAN_OUT))


@pytest.mark.backend
@pytest.mark.parametrize("name", RANDOM)
def test_a_vector_is_drawn_as_keras_draws_it(name: str) -> None:
    assert alike(ours(name, 20_000), keras_s(name, 20_000))


def test_another_distribution_is_told_apart() -> None:
    drawn = {name: ours(name, FAN_IN, FAN_OUT) for name in RANDOM}
    for one, other in ((a, b) for a in RANDOM for b in RANDOM if a < b):
        assert not alike(drawn[one], drawn[other]), (one, other)
    assert not alike(drawn["glorot_uniform"], ours("glorot_uniform", FAN_IN, FAN_OUT // 3))  # each gate by itself


@pytest.mark.backend
@pytest.mark.parametrize("shape", [(4, 12), (12, 4), (4, 4)])
@pytest.mark.parametrize("name", ["zeros", "ones", "identity"])
def test_a_constant_initialiser_gives_the_same_values(name: str, shape: tuple[int, int]) -> None:
    np.testing.assert_array_equal(ours(name, *shape), keras_s(name, *shape))


@pytest.mark.backend
@pytest.mark.parametrize("shape", [(8, 32), (32, 8)])
def test_orthogonal_makes_the_shorter_side_orthonormal_as_in_keras(shape: tuple[int, int]) -> None:
    for drawn in (ours("orthogonal", *shape), keras_s("orthogonal", *shape)):
        square = drawn @ drawn.T if shape[0] < shape[1] else drawn.T @ drawn
        np.testing.assert_allclose(square, np.eye(8), atol=1e-5)
        other = drawn.T @ drawn if shape[0] < shape[1] else drawn @ drawn.T
        assert np.abs(other - np.eye(32)).max() > 0.1


@pytest.mark.backend
def test_every_initialiser_of_keras_that_needs_no_argument_is_there() -> None:
    keras = import_module("keras")
    known = import_module("keras.src.initializers").ALL_OBJECTS
    # STFT's is for a convolution; a constant needs a number, and is zero by default.
    names = {"".join("_" * letter.isupper() + letter.lower() for letter in one.__name__)[1:] for one in known}
    assert names - {"s_t_f_t", "stft", "constant", "variance_scaling", "initializer", "random_initializer"} == set(INITIALISERS)
    for name in INITIALISERS:
        assert keras.initializers.get(name) is not None


@pytest.mark.backend
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_starts_as_keras_s_does(name: str) -> None:
    keras = import_module("keras")
    keras.utils.set_random_seed(0)
    native = getattr(keras.layers, name)(40)
    native.build((None, None, 500))
    kernel, recurrent, bias = (np.array(array) for array in native.get_weights())
    torch.manual_seed(0)
    layer: Any = LAYERS[name](40, input_size=500)
    assert alike(layer.weight_ih_l0.detach().numpy().T, kernel)
    actual = layer.weight_hh_l0.detach().numpy().T
    for one in (actual, recurrent):
        np.testing.assert_allclose(one @ one.T, np.eye(40), atol=1e-5)  # one matrix over all gates
    rows = [layer.bias_ih_l0.detach().numpy(), layer.bias_hh_l0.detach().numpy()]
    np.testing.assert_array_equal(np.stack(rows) if name == "GRU" else rows[0], bias)  # the LSTM's with a block of ones
    assert not rows[1].any()
    assert rows[0].any() == (name == "LSTM")


def test_the_forget_bias_starts_from_one_by_default() -> None:
    layer: Any = KerasLSTM(3, input_size=2, bias_initializer="ones", unit_forget_bias=False)
    assert (layer.bias_ih_l0 == 1).all()
    layer = KerasLSTM(3, input_size=2, bias_initializer="random_normal")
    assert (layer.bias_ih_l0[3:6] == 1).all()
    assert (layer.bias_ih_l0 != 0).all()
    layer = KerasLSTM(3, input_size=2, unit_forget_bias=False)
    assert not layer.bias_ih_l0.any()


def test_the_two_directions_start_from_different_weights() -> None:
    layer: Any = KerasBidirectional(KerasLSTM(3, input_size=2))
    assert (layer.weight_hh_l0 != layer.weight_hh_l0_reverse).any()


def test_a_torch_initialiser_is_used_as_it_is() -> None:
    layer: Any = KerasGRU(3, input_size=2, kernel_initializer=lambda weight: torch.nn.init.constant_(weight, 0.25))
    assert (layer.weight_ih_l0 == 0.25).all()


@pytest.mark.parametrize("unknown", ["glorot", 3, None])
def test_an_unknown_initialiser_is_refused_with_the_known_ones(unknown: object, refused: Callable[..., Any]) -> None:
    with refused("kernel_initializer", "glorot_uniform", repr(unknown)):
        check_initialiser(unknown, "kernel_initializer")


BIASES: dict[str, dict[str, Any]] = {
    "GRU": {},
    "GRU, one row": {"reset_after": False},
    "LSTM": {},
    "LSTM, no unit": {"unit_forget_bias": False},
}
"""Keras draws both biases of a GRU as one array, and an LSTM's bias without the forget gate's part: the fans differ."""


def biases(layer: Any) -> Any:
    """Return an emulated layer's bias in Keras's shape, but in torch's gate order for a GRU."""
    rows = [layer.bias_ih_l0.detach().numpy(), layer.bias_hh_l0.detach().numpy()] if hasattr(layer, "bias_hh_l0") else []
    return np.stack(rows) if rows and isinstance(layer, KerasGRU) else layer.bias_ih_l0.detach().numpy()


@pytest.mark.backend
@pytest.mark.parametrize("name", ["glorot_uniform", "he_normal", "lecun_uniform"])
@pytest.mark.parametrize("case", BIASES)
def test_a_bias_is_drawn_with_keras_s_fans(case: str, name: str) -> None:
    keras = import_module("keras")
    keras.utils.set_random_seed(0)
    torch.manual_seed(0)
    kind, how = case.partition(",")[0], {**BIASES[case], "bias_initializer": name}
    native = getattr(keras.layers, kind)(3000, recurrent_initializer="zeros", **how)
    native.cell.recurrent_initializer = keras.initializers.Zeros()
    native.build((None, None, 2))
    layer: Any = LAYERS[kind](3000, input_size=2, recurrent_initializer=lambda weight: weight, **how)
    actual, wanted = biases(layer), np.array(native.get_weights()[2])
    assert actual.shape == wanted.shape
    if case == "LSTM":
        for array in (actual, wanted):
            assert (array[3000:6000] == 1).all()
        pairs = [(actual[part], wanted[part]) for part in (slice(0, 3000), slice(6000, None))]
        assert not alike(actual[:3000], actual[6000:])  # drawn with half as many units
    else:
        pairs = [(actual, wanted)]
    assert all(alike(one, other) for one, other in pairs)


@pytest.mark.backend
def test_named_initialisers_draw_in_keras_s_gate_order() -> None:
    keras = import_module("keras")
    how: dict[str, Any] = {f"{part}_initializer": "identity" for part in ("kernel", "recurrent", "bias")}
    native = keras.layers.GRU(4, **how)
    native.build((None, None, 3))
    layer: Any = KerasGRU(4, input_size=3, **how)
    arrays = [layer.weight_ih_l0.detach().numpy().T, layer.weight_hh_l0.detach().numpy().T, biases(layer)]
    for actual, wanted in zip(arrays, native.get_weights(), strict=True):
        in_order = np.concatenate([np.split(actual, 3, axis=1)[gate] for gate in (1, 0, 2)], axis=1)
        np.testing.assert_array_equal(in_order, wanted)
        assert (actual != wanted).any()
