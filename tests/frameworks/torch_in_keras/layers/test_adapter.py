"""Torch's modules written in Keras have the common interface."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

from compare import check_parity
from frameworks import adapt, convert, copy_weights
from frameworks.adapter import is_adapter
from frameworks.keras.tensors import to_numpy
from frameworks.torch_in_keras.layers import TorchGRU, TorchLSTM, emulate

pytestmark = pytest.mark.backend

MODULES: dict[str, Callable[[], Any]] = {
    "RNN relu": lambda: nn.RNN(3, 5, 2, "relu"),
    "LSTM": lambda: nn.LSTM(3, 5, 2, bidirectional=True, batch_first=True),
    "LSTM float64, no bias": lambda: nn.LSTM(3, 5, bias=False, dtype=torch.float64),
    "GRU float64": lambda: nn.GRU(3, 5, bidirectional=True, dtype=torch.float64),
    "RNNCell": lambda: nn.RNNCell(3, 5),
    "LSTMCell float64": lambda: nn.LSTMCell(3, 5, dtype=torch.float64),
    "GRUCell": lambda: nn.GRUCell(3, 5),
}
every_module = pytest.mark.parametrize("name", MODULES)


@every_module
def test_a_layer_is_described_as_its_module_is(name: str) -> None:
    module = MODULES[name]()
    layer = emulate(module)
    adapter, expected = adapt(layer), adapt(module)
    assert is_adapter(adapter)
    assert adapt(adapter) is adapter
    assert adapter.native is layer
    assert adapter.spec == expected.spec
    assert (adapter.framework, adapter.options, adapter.batch_size) == ("keras", None, None)
    assert (adapter.dropout, adapter.is_cell) == (expected.dropout, expected.is_cell)
    coarse = keras.backend.backend() == "jax" and adapter.spec.dtype == "float64"
    assert adapter.precision == ("float32" if coarse else adapter.spec.dtype)
    assert bool(adapter.notes) is coarse


@every_module
def test_parity_with_the_module_holds(name: str, snapshot: Callable[[Any], Any]) -> None:
    module = MODULES[name]()
    layer = emulate(module)
    before = snapshot(layer)
    assert check_parity(module, layer)
    mask = np.arange(6) < np.array([[3], [6], [1], [4]])
    assert check_parity(layer, module, mask=mask)
    assert snapshot(layer) == before


def test_parity_fails_for_exchanged_gates() -> None:
    module = nn.GRU(3, 5)
    layer = emulate(module)
    layer.weight_hh_l0.assign(np.roll(to_numpy(layer.weight_hh_l0), 5, axis=0))
    result = check_parity(module, layer)
    assert not result
    assert "recurrent_kernel of layer 0" in str(result)


@every_module
def test_weights_come_and_go_bit_for_bit(name: str) -> None:
    module, other = MODULES[name](), MODULES[name]()
    layer = emulate(other)
    copy_weights(module, layer)
    back = MODULES[name]()
    copy_weights(layer, back)
    for key, tensor in module.state_dict().items():
        assert torch.equal(back.state_dict()[key], tensor)
        np.testing.assert_array_equal(to_numpy(getattr(layer, key)), tensor.numpy())
    adapt(layer).set_weights(adapt(other).get_weights())
    np.testing.assert_array_equal(to_numpy(layer.weights[0]), next(other.parameters()).detach().numpy())


@every_module
def test_a_layer_converts_to_the_module_and_to_kerass_own(name: str) -> None:
    layer = emulate(MODULES[name]())
    native = convert(layer, to="pytorch")
    assert type(native) is type(MODULES[name]())
    assert check_parity(layer, native)
    assert check_parity(layer, convert(layer, to="keras"))


def test_a_conversion_carries_dropout_over() -> None:
    layer = emulate(nn.LSTM(3, 5, 2, dropout=0.5))
    assert convert(layer, to="pytorch").dropout == 0.5
    assert check_parity(layer, convert(layer, to="pytorch"))


def test_a_mask_that_packing_cannot_hold_is_refused(refused: Callable[..., Any]) -> None:
    mask = np.array([[True, True, True], [True, False, True]])
    with refused("row 1 of mask", "right padding", "[1, 0, 1]"):
        adapt(emulate(nn.LSTM(3, 5))).forward(np.zeros((2, 3, 3), "float32"), mask=mask)


def test_a_layer_that_the_interface_cannot_describe_is_refused(refused: Callable[..., Any]) -> None:
    with refused("TorchGRU", "built", "layer.build()"):
        adapt(TorchGRU(3, 5))
    projecting = TorchLSTM(3, 5, proj_size=2)
    projecting.build()
    with refused("proj_size of TorchLSTM", "2"):
        adapt(projecting)
    with refused("proj_size of TorchLSTM"):
        copy_weights(nn.LSTM(3, 5), projecting)
