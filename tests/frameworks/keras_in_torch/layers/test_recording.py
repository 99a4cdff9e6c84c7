"""A traced or exported emulation returns what Keras's own layer returns, for any batch size and number of time steps.

Covers: `frameworks/keras_in_torch/layers`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn
from torch.export import Dim, export

from frameworks import emulate, one_step
from frameworks.keras_in_torch.layers import (
    KerasBidirectional,
    KerasGRU,
    KerasLSTM,
    KerasLSTMCell,
    KerasMasking,
    KerasSequential,
    OnnxRecurrent,
)
from frameworks.keras_in_torch.one_step import OneStep

pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:torch"),
    pytest.mark.filterwarnings("ignore::FutureWarning:torch"),
    pytest.mark.filterwarnings("ignore::FutureWarning:copyreg"),
]

INPUT = 3
Array = npt.NDArray[Any]
layers = keras.layers
MAKERS: dict[str, Callable[[], Any]] = {
    "fused": lambda: layers.LSTM(4, return_sequences=True, return_state=True),
    "loop": lambda: layers.GRU(4, reset_after=False, go_backwards=True, return_sequences=True, zero_output_for_mask=True),
    "two": lambda: layers.Bidirectional(layers.GRU(4, recurrent_activation="hard_sigmoid", use_bias=False), "sum"),
    "stack": lambda: layers.RNN(
        [layers.LSTMCell(4), layers.SimpleRNNCell(2, activation="elu")], return_sequences=True, go_backwards=True
    ),
}


class Masked(nn.Module):
    """A layer whose mask is a positional argument, as torch.jit.trace wants it."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> Any:
        return self.layer(x, mask=mask)


def trace(module: nn.Module, given: tuple[Any, ...], **how: Any) -> Callable[..., Any]:
    traced: Callable[..., Any] = torch.jit.trace(module, given, **how)  # type: ignore[no-untyped-call]
    return traced


def export_freely(module: nn.Module, given: tuple[torch.Tensor, ...]) -> Callable[..., Any]:
    free = {0: Dim("batch"), 1: Dim("time")}
    return export(module, given, dynamic_shapes=tuple(free for _ in given)).module()


WAYS = {"trace": trace, "export": export_freely}


def draw(batch: int, time: int) -> tuple[Array, Array]:
    """Return inputs and a mask with holes, of which one row is all masked."""
    rng = np.random.default_rng(batch)
    mask = rng.random((batch, time)) < 0.6
    mask[-1] = False
    return rng.normal(size=(batch, time, INPUT)).astype("float32"), mask


def error_of(expected: Any, actual: Any) -> float:
    pairs = zip(keras.tree.flatten(expected), keras.tree.flatten(actual), strict=True)
    return max(float(np.abs(np.asarray(one) - other.detach().numpy()).max()) for one, other in pairs)


@pytest.mark.parametrize(
    ("way", "name", "masked"),
    [
        *(("trace", name, masked) for name in MAKERS for masked in (False, True)),
        *(("export", "fused", False), ("export", "stack", True)),
    ],
)
def test_a_recorded_layer_returns_what_keras_returns_at_any_length(
    way: str, name: str, *, masked: bool, randomise: Callable[[Any], Any]
) -> None:
    native = MAKERS[name]()
    native.build((None, None, INPUT))
    module = emulate(randomise(native))
    count = 2 if masked else 1
    recorded = WAYS[way](Masked(module) if masked else module, tuple(map(torch.from_numpy, draw(2, 4)[:count])))
    for batch, time in ((3, 6), (1, 1)):
        x, mask = draw(batch, time)
        mask[:1] = True  # but for one row of three
        expected = native(x, mask=mask) if masked else native(x)
        given = (x, mask)[:count]
        assert error_of(expected, recorded(*map(torch.from_numpy, given))) < 2e-6
        assert error_of(expected, recorded(torch.from_numpy(x + 1), *map(torch.from_numpy, given[1:]))) > 1e-3


def test_initial_states_and_gradients_pass_a_recorded_loop() -> None:
    layer: Any = KerasGRU(4, input_size=INPUT, reset_after=False)
    x, state = torch.randn(2, 5, INPUT), torch.randn(2, 4)
    traced = trace(layer, (x[:1, :3], [state[:1]]))
    actual, expected = traced(x, [state]), layer(x, [state])
    torch.testing.assert_close(actual, expected)
    parameters = [layer.weight_ih_l0, layer.weight_hh_l0]
    for one, other in zip(
        torch.autograd.grad(actual.sum(), parameters), torch.autograd.grad(expected.sum(), parameters), strict=True
    ):
        torch.testing.assert_close(one, other)
        assert one.abs().max() > 1e-3


def test_a_node_of_onnx_with_torch_s_call_is_traced() -> None:
    layer = KerasBidirectional(KerasLSTM(4, "elu", input_size=INPUT, return_sequences=True, return_state=True))
    module, x, hx = OnnxRecurrent(layer), torch.randn(5, 2, INPUT), (torch.randn(2, 2, 4), torch.randn(2, 2, 4))
    traced = trace(module, (x[:3, :1], tuple(state[:, :1] for state in hx)))
    expected = module(x, hx)
    torch.testing.assert_close(traced(x, hx), expected)
    assert (traced(x, hx[::-1])[0] - expected[0]).abs().max() > 1e-3


def test_a_traced_layer_draws_dropout_in_each_call() -> None:
    layer = KerasLSTM(4, input_size=INPUT, recurrent_dropout=0.5, dropout=0.3, return_sequences=True)
    traced = trace(layer, (torch.randn(2, 3, INPUT),), check_trace=False)
    x = torch.randn(5, 8, INPUT)
    torch.manual_seed(0)
    expected = layer(x)
    torch.manual_seed(0)
    torch.testing.assert_close(traced(x), expected)
    assert (traced(x) - expected).abs().max() > 1e-3


@pytest.mark.parametrize(
    "module",
    [KerasLSTM(4, input_size=INPUT), KerasGRU(4, input_size=INPUT, reset_after=False), one_step(nn.LSTM(INPUT, 4))],
    ids=["fused", "loop", "step"],
)
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # of nn.LSTM
def test_a_traced_call_raises_an_error_for_another_number_of_features(module: nn.Module) -> None:
    shape = (2, INPUT) if isinstance(module, OneStep) else (2, 4, INPUT)
    traced = trace(module, (torch.randn(shape),))
    with pytest.raises(RuntimeError, match=r"invalid for input of size|cannot be multiplied"):  # torch's own errors
        traced(torch.randn(*shape[:-1], INPUT + 2))


@pytest.mark.parametrize("layer", [KerasLSTM(4, input_size=INPUT), KerasGRU(4, input_size=INPUT, reset_after=False)])
def test_a_program_exported_for_one_length_raises_an_error_for_another(layer: nn.Module) -> None:
    exported = export(layer, (torch.randn(2, 4, INPUT),)).module()
    with pytest.raises(Exception, match=r"size\(\)\[1\]|shape"):  # torch's own error, of several classes
        exported(torch.randn(2, 5, INPUT))


def test_a_strict_export_has_one_length_and_says_so() -> None:
    with pytest.raises(Exception, match="time"):  # torch's own error
        export(KerasGRU(4, input_size=INPUT), (torch.randn(2, 4, INPUT),), dynamic_shapes=({1: Dim("time")},), strict=True)


@pytest.mark.parametrize(
    "module",
    [
        KerasLSTM(4),
        KerasLSTMCell(4),
        KerasSequential([KerasMasking(), KerasGRU(4)]),
        nn.Sequential(KerasGRU(4, input_size=INPUT), nn.Linear(4, 2)),
    ],
    ids=lambda module: type(module).__name__,
)
def test_scripting_is_refused_by_name(module: nn.Module, refused: Any) -> None:
    with refused("torch.jit.script", "torch.jit.trace", "Keras"):
        torch.jit.script(module)


def replicate(module: nn.Module, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the second replica that DataParallel would make, with copies of the tensors instead of a broadcast to GPUs."""
    replicating = import_module("torch.nn.parallel.replicate")
    monkeypatch.setattr(
        replicating,
        "_broadcast_coalesced_reshape",
        lambda tensors, devices, detach=False: [[tensor.clone() for tensor in tensors] for _ in devices],
    )
    return replicating.replicate(module, [0, 1])[1]


def test_a_replica_of_data_parallel_returns_the_same_and_its_gradients_reach_the_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    x, mask = map(torch.from_numpy, draw(3, 5))
    loop = KerasGRU(4, input_size=INPUT, reset_after=False)
    for layer in (KerasLSTM(4, input_size=INPUT), loop, KerasSequential([KerasMasking(), loop])):
        replica = replicate(layer, monkeypatch)
        torch.testing.assert_close(replica(x, mask=mask), layer(x, mask=mask))
        replica(x).sum().backward()
        assert all(each.grad is not None for each in layer.parameters() if each.requires_grad)
        with torch.no_grad():
            next(layer.parameters()).add_(1)
        assert (replica(x) - layer(x)).abs().max() > 1e-3


def test_a_stateful_layer_is_refused_where_its_states_would_be_lost(refused: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = KerasLSTM(4, input_size=INPUT, stateful=True)
    x = torch.randn(2, 3, INPUT)
    layer(x)
    with refused("stateful", "DataParallel", "one_step"):
        replicate(layer, monkeypatch)(x)
    with refused("stateful", "torch.jit.trace", "return_state"):
        trace(layer, (x,))
    # the remedy
    layer.stateful, layer.return_state = False, True
    traced = trace(layer, (x, layer.states))
    _, *states = traced(x, [torch.zeros(2, 4), torch.zeros(2, 4)])
    torch.testing.assert_close(traced(x, states)[0], layer(torch.cat((x, x), dim=1))[0])
