"""`emulate` returns a built layer with exactly the module's weights, and accepts what the torch adapter accepts.

Covers: `frameworks/torch_in_keras/layers/porting.py`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from frameworks.keras.tensors import to_numpy
from frameworks.torch_in_keras.layers import TorchGRU, TorchGRUCell, TorchLSTM, TorchLSTMCell, TorchRNN, TorchRNNCell, emulate

pytestmark = pytest.mark.backend

MODULES: dict[str, tuple[Callable[[], Any], type[Any]]] = {
    "RNN": (lambda: nn.RNN(3, 5, 2, "relu", bias=False, batch_first=True, dropout=0.5), TorchRNN),
    "LSTM": (lambda: nn.LSTM(3, 5, 2, bidirectional=True, proj_size=2, dtype=torch.float64), TorchLSTM),
    "GRU": (lambda: nn.GRU(3, 5, 3, bidirectional=True), TorchGRU),
    "RNNCell": (lambda: nn.RNNCell(3, 5, nonlinearity="relu", dtype=torch.float64), TorchRNNCell),
    "LSTMCell": (lambda: nn.LSTMCell(3, 5, bias=False), TorchLSTMCell),
    "GRUCell": (lambda: nn.GRUCell(3, 5), TorchGRUCell),
}


@pytest.mark.parametrize("name", MODULES)
def test_options_and_weights_are_the_modules(name: str) -> None:
    make, cls = MODULES[name]
    module = make()
    with torch.no_grad():
        next(module.parameters())[0, 0] = torch.nan
    layer = emulate(module)
    assert type(layer) is cls
    assert layer.built
    for option in ("input_size", "hidden_size", "bias", *(layer.arguments if hasattr(module, "num_layers") else ())):
        assert getattr(layer, option) == getattr(module, option, "tanh")
    parameters = dict(module.named_parameters())
    assert [one.name for one in layer.weights] == list(parameters)
    for variable in layer.weights:
        expected = parameters[variable.name].detach().numpy()
        assert to_numpy(variable).tobytes() == expected.tobytes()
        assert variable.shape == expected.shape
        assert to_numpy(variable).dtype == expected.dtype


def test_neither_side_sees_the_others_changes() -> None:
    module: Any = nn.GRU(3, 5)
    layer: Any = emulate(module)
    before = to_numpy(layer.weight_ih_l0).copy()
    with torch.no_grad():
        module.weight_ih_l0.zero_()
    np.testing.assert_array_equal(to_numpy(layer.weight_ih_l0), before)
    layer.bias_ih_l0.assign(np.zeros(15))
    assert module.bias_ih_l0.detach().numpy().any()


def test_the_module_and_the_random_numbers_stay_as_they_are(snapshot: Callable[[Any], Any]) -> None:
    module = nn.LSTM(3, 5, 2, dropout=0.5).train()
    before, state, torch_state = snapshot(module), random.getstate(), torch.get_rng_state()
    emulate(module)
    assert snapshot(module) == before
    assert random.getstate() == state
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_the_modules_mode_does_not_matter() -> None:
    module = nn.LSTM(3, 5, 2, dropout=1.0).train()
    x = np.ones((4, 2, 3), "float32")
    expected, _ = module.eval()(torch.tensor(x))
    actual, _ = emulate(module.train())(x)
    np.testing.assert_allclose(to_numpy(actual), expected.detach().numpy(), atol=1e-6)


def test_what_is_frozen_stays_frozen() -> None:
    module: Any = nn.LSTM(3, 5)
    module.bias_hh_l0.requires_grad = False
    layer = emulate(module)
    assert [one.name for one in layer.trainable_variables] == ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0"]
    assert len(layer.weights) == 4


class Doubled(nn.LSTM):
    def forward(self, *arguments: Any) -> Any:
        output, states = super().forward(*arguments)
        return 2 * output, states


def tied() -> nn.LSTM:
    module = nn.LSTM(3, 5, num_layers=2)
    module.weight_hh_l1 = module.weight_hh_l0
    return module


def wrong_projection() -> nn.LSTM:
    module = nn.LSTM(3, 5, proj_size=2)
    module.weight_hr_l0.data = torch.ones(5, 2)
    return module


REFUSED: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "Linear": (lambda: nn.Linear(3, 5), ("nn.RNN, nn.LSTM, nn.GRU", "Linear")),
    "a Keras layer": (lambda: keras.layers.LSTM(5), ("nn.LSTM", "LSTM")),
    "a class": (lambda: nn.LSTM, ("nn.LSTM", "type")),
    "half": (lambda: nn.LSTM(3, 5).half(), ("LSTM", "torch.float16")),
    "meta device": (lambda: nn.LSTM(3, 5, device="meta"), ("LSTM", "meta device")),
    "weight_norm": (lambda: parametrizations.weight_norm(nn.LSTM(3, 5), "weight_hh_l0"), ("weight_hh_l0", "parametrised")),
    "a forward of its own": (lambda: Doubled(3, 5), ("Doubled", "forward")),
    "tied parameters": (tied, ("weight_hh_l1",)),
    "a projection turned round": (wrong_projection, ("weight_hr_l0", "(2, 5)", "(5, 2)")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_unsupported_module_is_refused_by_name(name: str, refused: Callable[..., Any]) -> None:
    make, said = REFUSED[name]
    with refused(*said):
        emulate(make())
