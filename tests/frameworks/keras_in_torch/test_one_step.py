"""One time step after the other gives what Keras's layer, or torch's module, gives over the whole sequence.

Covers: `frameworks/streaming.py`, `frameworks/keras_in_torch/one_step.py`, `frameworks/keras_in_torch/step_kinds.py`.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn
from torch.export import Dim, export

from frameworks import adapt, convert, emulate, one_step
from frameworks.keras_in_torch.layers import (
    KerasBidirectional,
    KerasGRU,
    KerasLSTM,
    KerasLSTMCell,
    KerasSequential,
    KerasTimeDistributed,
    OnnxRecurrent,
)

BATCH, TIME, INPUT = 3, 6, 2
layers = keras.layers
LAYERS: dict[str, Callable[[], Any]] = {
    "LSTM": lambda: layers.LSTM(4, return_sequences=True, return_state=True),
    "LSTM without bias": lambda: layers.LSTM(
        4, "elu", "hard_sigmoid", use_bias=False, return_sequences=True, return_state=True
    ),
    "GRU": lambda: layers.GRU(4, return_sequences=True, return_state=True, zero_output_for_mask=True),
    "GRU, reset before": lambda: layers.GRU(4, "gelu", reset_after=False, return_sequences=True, return_state=True),
    "SimpleRNN": lambda: layers.SimpleRNN(4, "relu", return_sequences=True, return_state=True),
    "stack": lambda: layers.RNN(
        [layers.LSTMCell(4), layers.GRUCell(3, recurrent_activation="softsign"), layers.SimpleRNNCell(2)],
        return_sequences=True,
        return_state=True,
    ),
}
TORCH: dict[str, Callable[[], nn.Module]] = {
    "LSTM": lambda: nn.LSTM(INPUT, 4, num_layers=2, batch_first=True),
    "projection": lambda: nn.LSTM(INPUT, 4, num_layers=2, proj_size=3),
    "GRU": lambda: nn.GRU(INPUT, 4, num_layers=3, bias=False),
    "RNN": lambda: nn.RNN(INPUT, 4, nonlinearity="relu", batch_first=True),
}


def stream(
    step: nn.Module, x: torch.Tensor, states: Any = (), mask: torch.Tensor | None = None
) -> tuple[torch.Tensor, list[Any]]:
    """Return the output of every step, (batch, time, hidden), and the last states."""
    outputs = []
    for time in range(x.shape[1]):
        y, *states = step(x[:, time], *states, mask=None if mask is None else mask[:, time])
        outputs.append(y)
    return torch.stack(outputs, dim=1), list(states)


def errors_of(expected: Any, actual: Any) -> list[float]:
    pairs = zip(keras.tree.flatten(expected), keras.tree.flatten(actual), strict=True)
    return [float(np.abs(np.asarray(one) - other.detach().numpy()).max()) for one, other in pairs]


def draw(seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    mask = rng.random((BATCH, TIME)) < 0.6
    mask[0, 0] = mask[-1] = False
    return rng.normal(size=(BATCH, TIME, INPUT)).astype("float32"), mask


def emulated(name: str, randomise: Callable[[Any], Any]) -> tuple[Any, nn.Module]:
    native = LAYERS[name]()
    native.build((None, None, INPUT))
    return native, emulate(randomise(native))


@pytest.mark.parametrize("masked", [False, True], ids=["plain", "masked"])
@pytest.mark.parametrize("name", LAYERS)
def test_the_steps_of_an_emulated_layer_give_what_keras_gives(
    name: str, *, masked: bool, randomise: Callable[[Any], Any]
) -> None:
    native, module = emulated(name, randomise)
    x, mask = draw()
    expected = native(x, mask=mask) if masked else native(x)
    if masked:
        x = np.where(mask[..., None], x, np.nan).astype("float32")
    given = None if not masked else torch.from_numpy(mask)
    assert max(errors_of(expected, stream(one_step(module), torch.from_numpy(x), mask=given))) < 2e-6
    if masked:
        shifted = torch.from_numpy(np.roll(mask, 1, 1))
        assert max(errors_of(expected, stream(one_step(module), torch.from_numpy(np.nan_to_num(x)), mask=shifted))) > 1e-3


def test_a_stream_can_be_interrupted_and_forgetting_the_states_is_seen(randomise: Callable[[Any], Any]) -> None:
    native, module = emulated("stack", randomise)
    x, _ = draw()
    step, inputs = one_step(module), torch.from_numpy(x)
    _, states = stream(step, inputs[:, :4])
    output, last = stream(step, inputs[:, 4:], states)
    whole, *finals = native(x)
    assert max(errors_of([whole[:, 4:], finals], [output, last])) < 2e-6
    assert max(errors_of([whole[:, 4:], finals], stream(step, inputs[:, 4:]))) > 1e-3
    assert [tuple(state.shape) for state in step.initial_states(5)] == [(5, 4), (5, 4), (5, 3), (5, 2)]


@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")  # of torch
@pytest.mark.parametrize("name", TORCH)
def test_the_steps_of_a_torch_module_give_what_it_gives(name: str, randomise: Callable[[Any], Any]) -> None:
    module: Any = randomise(TORCH[name]())
    x = torch.from_numpy(draw()[0])
    output, finals = module(x if module.batch_first else x.transpose(0, 1))
    output = (output if module.batch_first else output.transpose(0, 1)).detach()
    step = one_step(module)
    states = [state.detach() for state in (finals if isinstance(finals, tuple) else (finals,))]
    assert max(errors_of([output, *states], stream(step, x))) < 2e-6
    assert [state.shape for state in step.initial_states(BATCH)] == [state.shape for state in states]
    assert max(errors_of([output, *states], stream(step, x.flip(1)))) > 1e-3


def test_masked_steps_of_a_torch_module_are_those_after_packing(randomise: Callable[[Any], Any]) -> None:
    rnn = randomise(nn.LSTM(INPUT, 4, num_layers=2, batch_first=True))
    onnx = OnnxRecurrent(
        randomise(KerasGRU(4, "elu", input_size=INPUT, return_sequences=True, return_state=True)), batch_first=True
    )
    x, lengths = torch.from_numpy(draw()[0]), torch.tensor([4, 1, TIME])
    mask = torch.arange(TIME) < lengths.unsqueeze(1)
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    for module in (rnn, onnx):
        output, finals = module(packed)
        expected = nn.utils.rnn.pad_packed_sequence(output, batch_first=True)[0].detach()
        states = [state.detach() for state in (finals if isinstance(finals, tuple) else (finals,))]
        assert max(errors_of([expected, *states], stream(one_step(module), x, mask=mask))) < 2e-6


def test_converted_layers_and_cells_stream(randomise: Callable[[Any], Any]) -> None:
    x, _ = draw()
    native = layers.GRU(4, return_sequences=True)
    native.build((None, None, INPUT))
    assert errors_of(randomise(native)(x), stream(one_step(convert(native)), torch.from_numpy(x))[0])[0] < 2e-6
    for cell in (layers.LSTMCell(4), layers.GRUCell(4, reset_after=False)):
        cell.build((None, INPUT))
        expected = layers.RNN(randomise(cell), return_sequences=True)(x)
        for module in [emulate(cell), *([convert(cell)] if isinstance(cell, layers.LSTMCell) else [])]:
            assert errors_of(expected, stream(one_step(module), torch.from_numpy(x))[0])[0] < 2e-6


def test_a_model_streams_with_its_own_masks(randomise: Callable[[Any], Any]) -> None:
    model = keras.Sequential(
        [
            layers.Embedding(9, INPUT, mask_zero=True),
            layers.LSTM(4, return_sequences=True),
            layers.Dropout(0.5),
            layers.GRU(3, reset_after=False, return_sequences=True),
            layers.SimpleRNN(2),
        ]
    )
    ids = np.array([[3, 0, 1, 8, 0, 0], [0, 0, 5, 2, 0, 7], [0] * TIME])
    model(ids)
    expected = randomise(model)(ids)
    step = one_step(emulate(model))
    output, states = stream(step, torch.from_numpy(ids))
    assert errors_of(expected, output[:, -1])[0] < 2e-6
    assert [tuple(state.shape) for state in states] == [(3, 4), (3, 4), (3, 3), (3, 2)]
    assert errors_of(expected, stream(step, torch.from_numpy(np.maximum(ids, 1)))[0][:, -1])[0] > 1e-3


def test_the_step_shares_parameters_and_mode_and_can_be_copied(randomise: Callable[[Any], Any]) -> None:
    _, module = emulated("LSTM", randomise)
    step = one_step(module)
    x = torch.from_numpy(draw()[0])[:, 0]
    assert not step.training
    assert [id(each) for each in step.parameters()] == [id(each) for each in module.parameters()]
    before = step(x)[0]
    for copy in (deepcopy(step), pickle.loads(pickle.dumps(step))):  # noqa: S301  our own bytes
        torch.testing.assert_close(copy(x)[0], before)
    with torch.no_grad():
        next(module.parameters()).add_(1)
    assert (step(x)[0] - before).abs().max() > 1e-3
    step(x)[0].sum().backward()
    assert all(each.grad is not None for each in module.parameters() if each.requires_grad)
    assert one_step(adapt(module)).module is module


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # of nn.LSTM
@pytest.mark.filterwarnings("ignore:The tensor attributes:UserWarning")  # of nn.LSTM
@pytest.mark.filterwarnings("ignore::UserWarning:torch")
@pytest.mark.parametrize("way", ["trace", "export", "compile"])
def test_the_step_is_recorded_for_any_batch(way: str, randomise: Callable[[Any], Any]) -> None:
    modules = emulated("GRU, reset before", randomise)[1], randomise(nn.LSTM(INPUT, 4, num_layers=2)).eval()
    for module in modules[: 1 if way == "compile" else 2]:
        step = one_step(module)
        example = (torch.randn(2, INPUT), *step.initial_states(2))
        batch = Dim("batch")
        free = {"x": {0: batch}, "states": tuple({state.ndim - 2: batch} for state in example[1:])}
        recorded: Any
        if way == "trace":
            recorded = torch.jit.trace(step, example)  # type: ignore[no-untyped-call]
        elif way == "export":
            recorded = export(step, example, dynamic_shapes=free).module()
        else:
            recorded = torch.compile(step, backend="aot_eager")
        x, *states = torch.randn(5, INPUT), *map(torch.randn_like, step.initial_states(5))
        for one, other in zip(recorded(x, *states), step(x, *states), strict=True):
            torch.testing.assert_close(one, other)
        assert (recorded(x, *map(torch.zeros_like, states))[0] - step(x, *states)[0]).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (nn.LSTM(2, 3, bidirectional=True), "bidirectional"),
        (KerasBidirectional(KerasLSTM(3)), "direction"),
        (KerasGRU(3, go_backwards=True), "go_backwards"),
        (OnnxRecurrent(KerasGRU(3, go_backwards=True, return_sequences=True, return_state=True)), "go_backwards"),
        (
            KerasSequential([KerasSequential([KerasLSTM(3, return_sequences=True), KerasBidirectional(KerasLSTM(3))])]),
            "direction",
        ),
        (KerasSequential([KerasLSTM(3, return_sequences=True), nn.Softmax(dim=1), KerasLSTM(3)]), "Softmax"),
        (
            KerasTimeDistributed(KerasLSTM(3)),
            "the KerasTimeDistributed of one_step must compute a step from this step and earlier ones",
        ),
        (nn.Linear(2, 3), "recurrent module itself"),
        (layers.LSTM(3), "gatewise.emulate"),
        ("lstm", "gatewise.emulate"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_needs_later_steps_or_is_not_recurrent_is_refused(module: Any, said: str, refused: Any) -> None:
    with refused("one_step", said):
        one_step(module)


def test_a_layer_after_the_last_step_is_not_refused() -> None:
    model = KerasSequential([KerasLSTM(3, input_size=INPUT), nn.Softmax(dim=1)]).eval()
    x = torch.from_numpy(draw()[0])
    torch.testing.assert_close(stream(one_step(model), x)[0][:, -1], model(x))


def test_an_overridden_forward_is_refused(refused: Any) -> None:
    class Own(nn.LSTM):
        def forward(self, input: Any, hx: Any = None) -> Any:  # noqa: A002
            return super().forward(input.flip(0), hx)

    with refused("forward of nn.LSTM", "Own"):
        one_step(Own(2, 3))


def test_states_inputs_and_masks_that_do_not_fit_are_refused(refused: Any) -> None:
    step, x = one_step(nn.LSTM(INPUT, 4)), torch.zeros(BATCH, INPUT)
    h = torch.zeros(1, BATCH, 4)
    with refused("be the 2 of the module, h, c", "are 1"):
        step(x, h)
    with refused("state 1 (c)", "(layer, batch, hidden) = (1, 3, 4)", "(3, 4)"):
        step(x, h, h[0])
    with refused("state 0 (h)", "is a ndarray"):
        one_step(KerasLSTMCell(4))(x, h[0].numpy(), h[0])
    with refused("inputs", "(batch, 2)"):
        step(x.unsqueeze(0))
    with refused("mask", "(batch) = (3,)"):
        step(x, mask=torch.ones(2, dtype=torch.bool))


def test_dropout_within_a_cell_is_refused_in_training_and_dropout_between_layers_is_drawn(refused: Any) -> None:
    x = torch.randn(BATCH, INPUT)
    module = KerasLSTM(4, input_size=INPUT, recurrent_dropout=0.5)
    step = one_step(module)
    with refused("eval mode", "dropout"):
        step(x)
    step.eval()
    torch.testing.assert_close(step(x)[0], module(x.unsqueeze(1)))
    between = one_step(nn.GRU(INPUT, 4, num_layers=2, dropout=0.5))
    assert (between(x)[0] - between(x)[0]).abs().max() > 1e-3


def test_a_stateful_layer_keeps_its_own_states_to_itself() -> None:
    layer = KerasLSTM(4, input_size=INPUT, stateful=True)
    x = torch.from_numpy(draw()[0])
    layer(x)
    stored = [state.clone() for state in layer.states]
    fresh = one_step(layer)(x[:, 0])[0]
    assert all(torch.equal(one, other) for one, other in zip(layer.states, stored, strict=True))
    layer.reset_state()
    torch.testing.assert_close(layer(x[:, :1]), fresh)
