"""The layers work in Keras models: batch first in functional ones, as in torch in subclassed ones, saved and loaded again.

Covers: `frameworks/torch_in_keras/layers`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch

from frameworks.keras.tensors import to_numpy
from frameworks.torch_in_keras.layers import TorchGRU, TorchLSTM, TorchRNN, emulate

pytestmark = pytest.mark.backend

ROOT = Path(__file__).parents[4]
SIZES: dict[str, Any] = {"input_size": 3, "hidden_size": 5, "bidirectional": True, "batch_first": True}


def functional(layer: Any, *, states: bool, lengths: bool) -> Any:
    """Return a Model of a layer over any batch and time, with all its results as outputs."""
    inputs: dict[str, Any] = {"inputs": keras.Input((None, layer.input_size))}
    rows = layer.num_layers * layer.spec.num_directions
    if states:
        given = tuple(keras.Input((rows, size)) for size in layer.state_sizes.values())
        inputs["hx"] = given if len(given) > 1 else given[0]
    if lengths:
        inputs["lengths"] = keras.Input((), dtype="int32")
    output, states = layer(**inputs)
    return keras.Model(keras.tree.flatten(list(inputs.values())), [output, *keras.tree.flatten(states)])


def arguments_of(call: Any) -> list[Any]:
    """Return a call's arguments for the model, with the states batch first."""
    states = [] if call.hx is None else [state.swapaxes(0, 1) for state in call.hx]
    return [call.inputs, *states, *([] if call.lengths is None else [np.array(call.lengths, "int32")])]


@pytest.mark.parametrize(("kind", "num_layers"), [("RNN", 1), ("LSTM", 2), ("GRU", 1)])
def test_predict_joins_ragged_batches_of_states(kind: str, num_layers: int, draw: Callable[..., Any]) -> None:
    call = draw(kind, {**SIZES, "num_layers": num_layers}, batch=10, time=6, lengths=True, hx=True)
    model = functional(call.layer, states=True, lengths=True)
    assert model.output_shape[1] == (None, 2 * num_layers, 5)
    actual = model.predict(arguments_of(call), batch_size=4, verbose=0)
    output, *states = call.expected()
    np.testing.assert_allclose(actual[0], output, atol=1e-6)
    for one, state in zip(actual[1:], states, strict=True):
        assert one.shape == (10, 2 * num_layers, 5)
        np.testing.assert_allclose(one, state.swapaxes(0, 1), atol=1e-6)


def test_the_same_model_runs_any_number_of_time_steps(draw: Callable[..., Any]) -> None:
    call = draw("LSTM", SIZES, batch=2, time=6)
    model = functional(call.layer, states=False, lengths=False)
    for time in (1, 6, 3):
        expected = to_numpy(call.layer(call.inputs[:, :time])[0])
        np.testing.assert_allclose(model.predict([call.inputs[:, :time]], verbose=0)[0], expected, atol=1e-6)
        np.testing.assert_allclose(to_numpy(model([call.inputs[:, :time]])[0]), expected, atol=1e-6)


class Encoder(keras.Model):  # type: ignore[misc]
    """A subclassed model around a time-major layer."""

    def __init__(self, recurrent: Any) -> None:
        super().__init__()
        self.recurrent = recurrent
        self.shapes: list[tuple[int, ...]] = []

    def call(self, x: Any) -> Any:
        output, (h_n, c_n) = self.recurrent(keras.ops.swapaxes(x, 0, 1))
        self.shapes = [tuple(one.shape) for one in (output, h_n, c_n)]
        return keras.ops.concatenate([h_n[-2], h_n[-1]], axis=-1)


def test_a_subclassed_model_gets_torchs_shapes(draw: Callable[..., Any]) -> None:
    call = draw("LSTM", {**SIZES, "batch_first": False}, batch=4, time=6)
    model = Encoder(call.layer)
    model.compile("sgd", "mse")
    x = call.inputs.swapaxes(0, 1)
    h_n = call.expected()[1]
    np.testing.assert_allclose(model.predict(x, verbose=0), np.concatenate([h_n[-2], h_n[-1]], axis=-1), atol=1e-6)
    to_numpy(model(x))
    assert model.shapes == [(6, 4, 10), (2, 4, 5), (2, 4, 5)]
    before = to_numpy(call.layer.weight_hh_l0).copy()
    model.fit(x, np.zeros((4, 10)), verbose=0)
    assert np.abs(to_numpy(call.layer.weight_hh_l0) - before).max() > 0


def test_a_time_major_layer_is_refused_in_a_functional_model(refused: Callable[..., Any]) -> None:
    layer = TorchLSTM(3, 5)
    with refused("TorchLSTM", "functional Model", "batch_first"):
        layer(keras.Input((None, 3)))
    layer.batch_first = True  # the remedy
    assert layer(keras.Input((None, 3)))[1][0].shape == (None, 1, 5)
    with refused("TorchLSTM", "functional Model", "Add a batch axis"):
        layer(keras.Input((3,)))


@pytest.mark.parametrize("wrong", ["hx", "one state", "lengths", "float lengths"])
def test_symbolic_arguments_are_checked_as_far_as_they_are_known(wrong: str, refused: Callable[..., Any]) -> None:
    layer, inputs = TorchLSTM(**SIZES), keras.Input((None, 3))
    cases: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
        "hx": ({"hx": (keras.Input((5, 2)),) * 2}, ("h_0", "(batch, 2, 5)", "(None, 5, 2)")),
        "one state": ({"hx": keras.Input((2, 5))}, ("hx", "(h_0, c_0)", "one tensor")),
        "lengths": ({"lengths": keras.Input((1,), dtype="int32")}, ("lengths", "(None, 1)")),
        "float lengths": ({"lengths": keras.Input(())}, ("lengths", "ints", "float32")),
    }
    given, said = cases[wrong]
    with refused(*said):
        layer(inputs, **given)


def test_xla_is_left_out_on_tensorflow_only() -> None:
    assert TorchLSTM(3, 5).supports_jit is (keras.backend.backend() != "tensorflow")


OPTIONS = {"num_layers": 2, "bias": False, "dropout": 0.25, "name": "encoder", "dtype": "float64", "trainable": False}


@pytest.mark.parametrize(
    ("cls", "own"), [(TorchRNN, {"nonlinearity": "relu"}), (TorchLSTM, {"proj_size": 2}), (TorchGRU, {"bidirectional": False})]
)
def test_a_config_makes_the_same_layer(cls: Any, own: dict[str, Any]) -> None:
    options = {**SIZES, **OPTIONS, **own}
    config = cls(**options).get_config()
    json.dumps(config)
    again = cls.from_config(config)
    for name, value in options.items():
        assert getattr(again, name) == value
    assert again.get_config() == config


LOADING = """
import sys
import keras
import numpy as np
path = sys.argv[1]
try:
    keras.models.load_model(path + "/model.keras")
except TypeError as error:
    assert "TorchLSTM" in str(error), error
else:
    raise AssertionError("loaded without the import")
import frameworks.emulation.keras
assert keras.backend.backend() == "torch" or "torch" not in sys.modules
model = keras.models.load_model(path + "/model.keras")
data = np.load(path + "/data.npz")
actual = model.predict([data[f"input {index}"] for index in range(4)], batch_size=4, verbose=0)
for index, one in enumerate(actual):
    expected = data[f"output {index}"]
    assert one.shape == expected.shape, one.shape
    assert np.abs(one - expected).max() <= 1e-6
print("loaded")
"""


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_a_saved_model_loads_in_a_fresh_process(tmp_path: Path, draw: Callable[..., Any]) -> None:
    call = draw("LSTM", {**SIZES, "proj_size": 2}, batch=10, time=6, lengths=True, hx=True)
    functional(call.layer, states=True, lengths=True).save(tmp_path / "model.keras")
    output, *states = call.expected()
    outputs = [output, *(state.swapaxes(0, 1) for state in states)]
    arrays = {f"input {index}": one for index, one in enumerate(arguments_of(call))}
    np.savez(tmp_path / "data.npz", **arrays, **{f"output {index}": one for index, one in enumerate(outputs)})
    environment = {**os.environ, "KERAS_BACKEND": keras.backend.backend(), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", LOADING, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.stdout.strip().endswith("loaded"), done.stderr


def test_a_loaded_layer_outside_a_model_has_torchs_shapes(tmp_path: Path, draw: Callable[..., Any]) -> None:
    call = draw("GRU", SIZES, batch=3, time=6)
    functional(call.layer, states=False, lengths=False).save(tmp_path / "model.keras")
    (layer,) = (one for one in keras.models.load_model(tmp_path / "model.keras").layers if isinstance(one, TorchGRU))
    for actual, expected in zip(layer(call.inputs), call.expected(), strict=True):
        np.testing.assert_allclose(to_numpy(actual), expected, atol=1e-6)


def test_a_layer_in_float64_stays_exact_in_a_model() -> None:
    module = torch.nn.LSTM(3, 5, batch_first=True, dtype=torch.float64)
    inputs = keras.Input((None, 3), dtype="float64")
    x = np.random.default_rng(0).standard_normal((4, 6, 3))
    actual = keras.Model(inputs, emulate(module)(inputs)[0])(x)  # predict would round what it is given
    with torch.no_grad():
        expected, _ = module(torch.tensor(x))
    assert np.abs(to_numpy(actual) - expected.numpy()).max() < (1e-5 if keras.backend.backend() == "jax" else 1e-12)
