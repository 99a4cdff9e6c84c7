"""torch's modules written in Keras have torch's results, states and gradients, whatever the options.

Covers: `frameworks/torch_in_keras/layers`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from frameworks.keras.tensors import to_numpy
from frameworks.torch_in_keras.layers import TorchGRU, TorchLSTM, TorchRNN, emulate

pytestmark = [
    pytest.mark.backend,
    pytest.mark.filterwarnings(
        "ignore:LSTM with projections is not supported with oneDNN"
    ),  # torch's warning about its own module
]


@st.composite
def calls(draw: st.DrawFn) -> dict[str, Any]:
    """A module with any options, and the shape of any call."""
    kind = draw(st.sampled_from(["RNN", "LSTM", "GRU"]))
    hidden = draw(st.integers(2, 6))
    options = {
        "input_size": draw(st.integers(1, 5)),
        "hidden_size": hidden,
        "num_layers": draw(st.integers(1, 3)),
        "bias": draw(st.booleans()),
        "batch_first": draw(st.booleans()),
        "bidirectional": draw(st.booleans()),
        "dtype": draw(st.sampled_from([torch.float32, torch.float64])),
    }
    if kind == "RNN":
        options["nonlinearity"] = draw(st.sampled_from(["tanh", "relu"]))
    if kind == "LSTM":
        options["proj_size"] = draw(st.integers(0, hidden - 1))
    return {
        "kind": kind,
        "options": options,
        "batch": draw(st.integers(1, 4)),
        "time": draw(st.integers(1, 12)),
        "lengths": draw(st.booleans()),
        "hx": draw(st.booleans()),
        "seed": draw(st.integers(0, 99)),
    }


@settings(max_examples=30)
@given(drawn=calls())
def test_results_are_torchs(drawn: dict[str, Any], draw: Callable[..., Any], close: Callable[..., None]) -> None:
    call = draw(**drawn)
    for actual, expected in zip(call.actual(), call.expected(), strict=True):
        close(actual, expected, call.tolerance)


@settings(max_examples=12)
@given(drawn=calls())
def test_gradients_are_torchs(drawn: dict[str, Any], draw: Callable[..., Any], close: Callable[..., None]) -> None:
    call = draw(**drawn)
    expected, actual = call.expected_gradients(), call.actual_gradients()
    assert set(actual) == set(expected)
    for name, gradient in expected.items():
        close(actual[name], gradient, call.tolerance)


LSTM = {"input_size": 3, "hidden_size": 5, "num_layers": 2, "bidirectional": True, "batch_first": True, "dtype": torch.float64}


@pytest.mark.parametrize("other", ["weight_hh_l1_reverse", "bias_hh_l0", "weight_hr_l1"])
def test_another_weight_changes_the_results(other: str, draw: Callable[..., Any]) -> None:
    call = draw("LSTM", {**LSTM, "proj_size": 4}, batch=3, time=4)
    variable = getattr(call.layer, other)
    variable.assign(to_numpy(variable)[::-1].copy())
    assert np.abs(call.actual()[0] - call.expected()[0]).max() > 1e-3


def test_lengths_mean_the_same_as_in_packing(draw: Callable[..., Any]) -> None:
    call = draw("LSTM", LSTM, batch=3, time=6)
    output, (h_n, c_n) = call.layer(call.inputs, lengths=[2, 6, 1])
    assert not to_numpy(output)[0, 2:].any()
    alone, (h_alone, c_alone) = call.layer(call.inputs[:1, :2])
    np.testing.assert_allclose(to_numpy(output)[:1, :2], to_numpy(alone), atol=call.tolerance)
    np.testing.assert_allclose(to_numpy(h_n)[:, :1], to_numpy(h_alone), atol=call.tolerance)
    np.testing.assert_allclose(to_numpy(c_n)[:, :1], to_numpy(c_alone), atol=call.tolerance)
    # and without them the padding is read
    assert np.abs(to_numpy(call.layer(call.inputs)[1][0]) - to_numpy(h_n)).max() > 1e-3


def test_nan_in_the_padding_reaches_no_result_and_no_gradient(draw: Callable[..., Any], close: Callable[..., None]) -> None:
    call = draw("GRU", LSTM, batch=3, time=6, lengths=True)
    call.lengths[:] = [2, 6, 1]
    call.inputs[0, 2:] = np.nan
    for actual, expected in zip(call.actual(), call.expected(), strict=True):
        close(actual, expected, call.tolerance)
    actual, expected = call.actual_gradients(), call.expected_gradients()
    for name, gradient in expected.items():
        close(actual[name], gradient, call.tolerance)


@pytest.mark.parametrize("lengths", [[3, 1], (3, 1), np.array([3, 1]), np.array([3, 1], "uint8"), torch.tensor([3, 1])])
def test_lengths_may_be_any_ints(lengths: Any) -> None:
    layer, x = TorchGRU(2, 3, batch_first=True), np.ones((2, 3, 2), "float32")
    assert not to_numpy(layer(x, None, lengths)[0])[1, 1:].any()


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_sequence_without_a_batch_is_taken_as_torch_takes_it(
    *, batch_first: bool, draw: Callable[..., Any], close: Callable[..., None]
) -> None:
    call = draw("LSTM", {**LSTM, "batch_first": batch_first}, batch=1, time=4, hx=True)
    x = call.inputs[0] if batch_first else call.inputs[:, 0]
    states = tuple(state[:, 0] for state in call.hx)
    with torch.no_grad():
        output, finals = call.module(torch.tensor(x), tuple(map(torch.tensor, states)))
    actual, actual_finals = call.layer(x, states)
    for one, other in zip((actual, *actual_finals), (output, *finals), strict=True):
        close(to_numpy(one), other.numpy(), call.tolerance)


def test_an_empty_batch_gives_empty_results(draw: Callable[..., Any], close: Callable[..., None]) -> None:
    call = draw("LSTM", LSTM, batch=0, time=4)
    for actual, expected in zip(call.actual(), call.expected(), strict=True):
        close(actual, expected, call.tolerance)


def test_states_are_batch_first_on_request(draw: Callable[..., Any]) -> None:
    call = draw("LSTM", LSTM, batch=3, time=4, hx=True)
    expected = call.expected()
    turned = tuple(state.swapaxes(0, 1) for state in call.hx)
    output, states = call.layer(call.inputs, turned, states_batch_first=True)
    np.testing.assert_allclose(to_numpy(output), expected[0], atol=call.tolerance)
    for actual, state in zip(states, expected[1:], strict=True):
        np.testing.assert_allclose(to_numpy(actual).swapaxes(0, 1), state, atol=call.tolerance)


@pytest.mark.parametrize(("kind", "cls"), [("RNN", TorchRNN), ("LSTM", TorchLSTM), ("GRU", TorchGRU)])
def test_a_layer_starts_from_torchs_distribution(kind: str, cls: Any) -> None:
    layer = cls(40, 25, 2)
    layer.build()
    module = getattr(torch.nn, kind)(40, 25, 2)
    assert {one.name: tuple(one.shape) for one in layer.weights} == {
        name: tuple(one.shape) for name, one in module.named_parameters()
    }
    weights = [to_numpy(one) for one in layer.weights]
    for weight in weights:
        assert np.abs(weight).max() <= 0.2
        assert np.abs(weight).max() > 0.1  # 1 / sqrt(25) is the bound: half of it would show, and the smallest has 25 numbers
        assert np.unique(weight).size > 0.99 * weight.size
    assert np.concatenate([weight.ravel() for weight in weights]).std() == pytest.approx(0.2 / 3**0.5, rel=0.05)
    assert not np.array_equal(to_numpy(layer.bias_ih_l0), to_numpy(layer.bias_hh_l0))


@pytest.mark.parametrize(
    ("kind", "cls", "given"),
    [
        ("RNN", TorchRNN, (2, 3, 2, "relu", False, True, 0.5, True)),
        ("LSTM", TorchLSTM, (2, 3, 2, False, True, 0.5, True, 2)),
        ("GRU", TorchGRU, (2, 3, 2, False, True, 0.5, True)),
    ],
)
def test_arguments_are_in_torchs_order(kind: str, cls: Any, given: tuple[Any, ...]) -> None:
    layer, module = cls(*given), getattr(torch.nn, kind)(*given)
    for name in ("num_layers", "bias", "batch_first", "dropout", "bidirectional", "proj_size"):
        assert getattr(layer, name) == getattr(module, name)
    assert layer.nonlinearity == getattr(module, "nonlinearity", "tanh")


def test_float64_does_not_pass_through_kerass_matmul() -> None:
    """On the torch backend it would be 1e-7 off."""
    module = torch.nn.LSTM(50, 50, dtype=torch.float64)
    x = np.random.default_rng(0).standard_normal((3, 2, 50))
    with torch.no_grad():
        expected, _ = module(torch.tensor(x))
    actual, _ = emulate(module)(x)
    assert np.abs(to_numpy(actual) - expected.numpy()).max() < (1e-6 if keras.backend.backend() == "jax" else 1e-14)
