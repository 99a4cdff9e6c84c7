"""torch's cells written in Keras compute the same step as torch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

from frameworks.keras.tensors import to_numpy
from frameworks.torch_in_keras.layers import TorchGRUCell, TorchLSTMCell, TorchRNNCell, emulate

pytestmark = pytest.mark.backend

CELLS: dict[str, Callable[..., Any]] = {
    "RNNCell": lambda **options: nn.RNNCell(3, 5, **options),
    "RNNCell relu, no bias": lambda **options: nn.RNNCell(3, 5, bias=False, nonlinearity="relu", **options),
    "LSTMCell": lambda **options: nn.LSTMCell(3, 5, **options),
    "GRUCell": lambda **options: nn.GRUCell(3, 5, **options),
    "GRUCell, no bias": lambda **options: nn.GRUCell(3, 5, bias=False, **options),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_a_step_is_torchs(*, name: str, given: bool, dtype: Any, close: Callable[..., None]) -> None:
    module = CELLS[name](dtype=dtype)
    rng = np.random.default_rng(0)
    x, *states = (rng.standard_normal((4, width)).astype(str(dtype).removeprefix("torch.")) for width in (3, 5, 5))
    lstm = isinstance(module, nn.LSTMCell)
    given_states = [tuple(states) if lstm else states[0]] if given else []
    with torch.no_grad():
        expected = module(*keras.tree.map_structure(torch.tensor, [x, *given_states]))
    actual = emulate(module)(x, *given_states)
    assert isinstance(actual, tuple) is lstm
    exact = dtype is torch.float64 and keras.backend.backend() != "jax"
    for one, other in zip(actual if lstm else (actual,), expected if lstm else (expected,), strict=True):
        close(to_numpy(one), other.numpy(), 1e-12 if exact else 1e-5)


def test_a_cell_runs_in_a_functional_model(tmp_path: Any) -> None:
    layer = emulate(nn.LSTMCell(3, 5))
    x, h, c = keras.Input((3,)), keras.Input((5,)), keras.Input((5,))
    model = keras.Model([x, h, c], layer(x, (h, c)))
    data = [np.random.default_rng(0).standard_normal((10, width)).astype("float32") for width in (3, 5, 5)]
    expected = [to_numpy(one) for one in layer(data[0], tuple(data[1:]))]
    model.save(tmp_path / "model.keras")
    for one in (model, keras.models.load_model(tmp_path / "model.keras")):
        for actual, other in zip(one.predict(data, batch_size=4, verbose=0), expected, strict=True):
            np.testing.assert_allclose(actual, other, atol=1e-6)


@pytest.mark.parametrize("cls", [TorchRNNCell, TorchLSTMCell, TorchGRUCell])
def test_a_config_makes_the_same_cell(cls: Any) -> None:
    own = {"nonlinearity": "relu"} if cls is TorchRNNCell else {}
    config = cls(3, 5, bias=False, name="step", dtype="float64", **own).get_config()
    assert cls.from_config(config).get_config() == config
    assert config["bias"] is False


def test_a_cell_starts_from_torchs_distribution() -> None:
    layer = TorchGRUCell(30, 25)
    layer.build()
    assert [(one.name, tuple(one.shape)) for one in layer.weights] == [
        (name, tuple(one.shape)) for name, one in nn.GRUCell(30, 25).named_parameters()
    ]
    assert all(0.17 < np.abs(to_numpy(one)).max() <= 0.2 for one in layer.weights)
