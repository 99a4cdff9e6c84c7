"""Parameters have torch.nn's names, shapes and order; they get their size and train as in Keras."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import deepcopy
from io import BytesIO
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter

from frameworks.errors import GatewiseError
from frameworks.keras_in_torch.layers import (
    KerasBidirectional,
    KerasGRU,
    KerasGRUCell,
    KerasLSTM,
    KerasLSTMCell,
    KerasRNN,
    KerasSimpleRNN,
    KerasSimpleRNNCell,
)

INPUT, UNITS = 3, 4
X = torch.randn(2, 5, INPUT)
PAIRS = [(KerasSimpleRNN, nn.RNN), (KerasLSTM, nn.LSTM), (KerasGRU, nn.GRU)]
CELLS = [(KerasSimpleRNNCell, nn.RNNCell), (KerasLSTMCell, nn.LSTMCell), (KerasGRUCell, nn.GRUCell)]
MAKERS: dict[str, Callable[[], Any]] = {
    "one": lambda: KerasLSTM(UNITS),
    "stack": lambda: KerasRNN([KerasLSTMCell(UNITS), KerasGRUCell(5)]),
    "two": lambda: KerasBidirectional(KerasGRU(UNITS)),
}


def make(ours: Any, native: Any, *, two: bool, bias: bool) -> tuple[Any, Any]:
    layer = ours(UNITS, return_sequences=True, return_state=True, use_bias=bias)
    return (KerasBidirectional(layer) if two else layer), native(INPUT, UNITS, bias=bias, bidirectional=two, batch_first=True)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize(("ours", "native"), PAIRS)
def test_a_state_dict_moves_to_and_from_the_native_module(ours: Any, native: Any, *, two: bool, bias: bool) -> None:
    layer, module = make(ours, native, two=two, bias=bias)
    layer.load_state_dict(module.state_dict())  # into a layer that does not know its input size
    output, *states = layer(X)
    expected, final = module(X)
    torch.testing.assert_close(output, expected)
    actual = torch.stack(states[0::2] if ours is KerasLSTM else states)
    torch.testing.assert_close(actual, final[0] if ours is KerasLSTM else final)
    layer.reset_parameters()
    assert (layer(X)[0] - expected).abs().max() > 1e-3
    assert list(layer.state_dict()) == list(module.state_dict())
    module.load_state_dict(layer.state_dict())
    torch.testing.assert_close(layer(X)[0], module(X)[0])


@pytest.mark.parametrize(("ours", "native"), CELLS)
def test_a_cell_s_state_dict_moves_to_and_from_the_native_cell(ours: Any, native: Any) -> None:
    cell, module = ours(UNITS), native(INPUT, UNITS)
    cell.load_state_dict(module.state_dict())
    states = [torch.randn(2, UNITS) for _ in range(2 if ours is KerasLSTMCell else 1)]
    output, _ = cell(X[:, 0], states)
    expected = module(X[:, 0], tuple(states) if len(states) == 2 else states[0])
    torch.testing.assert_close(output, expected[0] if ours is KerasLSTMCell else expected)
    module.load_state_dict(cell.state_dict())


def test_the_cells_of_a_stack_are_numbered_as_torch_s_layers() -> None:
    stack = KerasRNN([KerasLSTMCell(UNITS, input_size=INPUT), KerasLSTMCell(UNITS)], return_sequences=True)
    module = nn.LSTM(INPUT, UNITS, 2, batch_first=True)
    stack.load_state_dict(module.state_dict())
    torch.testing.assert_close(stack(X), module(X)[0])


@pytest.mark.parametrize("name", MAKERS)
def test_the_input_size_is_learnt_from_the_first_call(name: str) -> None:
    layer = MAKERS[name]()
    waiting = {key for key, each in layer.named_parameters() if isinstance(each, UninitializedParameter)}
    assert waiting == {"weight_ih_l0"} | ({"weight_ih_l0_reverse"} if name == "two" else set())
    assert not layer.built
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.5)  # holds the parameters before they have a shape
    layer(X).sum().backward()
    before = deepcopy(layer.state_dict())
    optimizer.step()
    assert layer.built
    assert layer.weight_ih_l0.shape[1] == INPUT
    assert all((each != before[key]).any() for key, each in layer.named_parameters() if each.requires_grad)


@pytest.mark.parametrize("name", MAKERS)
def test_the_input_size_may_be_given_or_built(name: str, refused: Any) -> None:
    layer = MAKERS[name]()
    with refused("input size", "saved"):
        layer.state_dict()
    layer.build(INPUT)
    layer.load_state_dict(layer.state_dict())
    kept = layer.weight_ih_l0.detach().clone()
    layer.build(INPUT)
    layer(X)
    torch.testing.assert_close(layer.weight_ih_l0, kept, rtol=0, atol=0)
    with refused("(batch, time, 3)"):
        layer(X[..., :2])


@pytest.mark.parametrize("name", MAKERS)
def test_an_unbuilt_layer_can_be_copied_pickled_cast_and_shown(name: str) -> None:
    layer = MAKERS[name]()
    buffer = BytesIO()
    torch.save(layer, buffer)
    buffer.seek(0)
    for copy in (
        deepcopy(layer),
        pickle.loads(pickle.dumps(layer)),  # noqa: S301  its own
        torch.load(buffer, weights_only=False),
        layer.double(),
    ):
        dtype = copy.weight_hh_l0.dtype
        assert copy(X.to(dtype)).dtype == dtype
    assert "units=4" in repr(MAKERS[name]())


def test_a_copy_has_its_own_weights() -> None:
    layer = KerasLSTM(UNITS, input_size=INPUT)
    copy = pickle.loads(pickle.dumps(layer))  # noqa: S301  its own
    torch.testing.assert_close(copy(X), layer(X))
    copy.reset_parameters()
    assert (copy(X) - layer(X)).abs().max() > 1e-3


def test_a_foreign_kernel_is_refused_and_leaves_the_layer_unbuilt() -> None:
    for state_dict in (nn.LSTM(INPUT, 5).state_dict(), nn.GRU(INPUT, UNITS).state_dict(), {}):
        layer = KerasLSTM(UNITS)
        with pytest.raises(RuntimeError, match="weight_ih_l0"):
            layer.load_state_dict(state_dict)
        assert not layer.built
        assert layer(X).shape == (2, UNITS)


def test_a_first_call_in_inference_mode_leaves_parameters_that_train() -> None:
    layer = KerasLSTM(UNITS)
    with torch.inference_mode():
        layer(X)
    layer(X).sum().backward()
    assert layer.weight_ih_l0.grad is not None


@pytest.mark.parametrize(
    ("layer", "frozen"),
    [
        (KerasSimpleRNN(UNITS, input_size=INPUT), {"bias_hh_l0"}),
        (KerasLSTM(UNITS, input_size=INPUT), {"bias_hh_l0"}),
        (KerasGRU(UNITS, input_size=INPUT), set()),
        (KerasGRU(UNITS, input_size=INPUT, reset_after=False), set()),
        (KerasLSTM(UNITS, input_size=INPUT, use_bias=False), set()),
        (KerasBidirectional(KerasLSTM(UNITS, input_size=INPUT)), {"bias_hh_l0", "bias_hh_l0_reverse"}),
    ],
)
def test_the_second_bias_trains_where_keras_has_two(layer: Any, frozen: set[str]) -> None:
    assert {name for name, each in layer.named_parameters() if not each.requires_grad} == frozen
    assert all((getattr(layer, name) == 0).all() for name in frozen)
    # The GRU that resets before the product has only one, and no native module to share it with.
    assert hasattr(layer, "bias_hh_l0") == (layer.slots[0].cell.use_bias and layer.slots[0].cell.reset_after)
    untrained = KerasLSTM(UNITS, input_size=INPUT, trainable=False)
    assert not any(each.requires_grad for each in untrained.parameters())


def test_dtype_and_device_apply_to_the_parameters() -> None:
    layer = KerasGRU(UNITS, input_size=INPUT, dtype="float64", device="meta")
    assert {(each.dtype, each.device.type) for each in layer.parameters()} == {(torch.float64, "meta")}
    mixed = KerasGRU(UNITS, input_size=INPUT, dtype="mixed_bfloat16")
    assert {each.dtype for each in mixed.parameters()} == {torch.float32}
    assert mixed(X).dtype == torch.bfloat16
    assert KerasLSTM(UNITS, dtype=torch.float64)(X).dtype == torch.float64


def test_a_parametrised_layer_is_not_taken_over() -> None:
    layer = KerasLSTM(3, input_size=2)
    torch.nn.utils.parametrizations.weight_norm(layer, "weight_ih_l0")
    with pytest.raises(GatewiseError, match=r"weight_ih_l0 .* must be a plain parameter"):
        KerasBidirectional(layer)
