"""Dropout is Keras's: the masks have the same structure, and with equal masks the results are equal."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from frameworks import emulate
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
from frameworks.keras_in_torch.layers.dropout import NO_MASKS, DropoutMasks, draw_masks

if TYPE_CHECKING:
    from tests.frameworks.keras_in_torch.layers.conftest import Compared

BATCH, TIME, INPUT, UNITS = 3, 5, 2, 4
LAYERS = {"SimpleRNN": KerasSimpleRNN, "LSTM": KerasLSTM, "GRU": KerasGRU}
CELLS = {"SimpleRNN": KerasSimpleRNNCell, "LSTM": KerasLSTMCell, "GRU": KerasGRUCell}
FROM_KERAS = {"SimpleRNN": (0,), "LSTM": (0, 1, 2, 3), "GRU": (1, 0, 2)}
RATES = [
    {"dropout": 0.5},
    {"recurrent_dropout": 0.5},
    {"dropout": 0.5, "recurrent_dropout": 0.3},
    {"dropout": 1.0},
    {"recurrent_dropout": 1.0},
]


def arguments(kind: str, rates: dict[str, float], implementation: int) -> dict[str, Any]:
    return {**rates, **({} if kind == "SimpleRNN" else {"implementation": implementation})}


def make(kind: str, rates: dict[str, Any]) -> Any:
    """Make a Keras layer, or RNN over its cell where the layer deviates (see the last tests)."""
    layers, flags = import_module("keras").layers, {"return_sequences": True, "return_state": True, "dtype": "float64"}
    if rates.get("implementation") == 1 or 1 in rates.values():
        layer = layers.RNN(getattr(layers, f"{kind}Cell")(UNITS, **rates, dtype="float64"), **flags)
    else:
        layer = getattr(layers, kind)(UNITS, **rates, **flags)
    layer.build((None, None, INPUT))
    return layer


def masks_of(cell: Any, inputs: Any, kind: str) -> DropoutMasks:
    """Draw the masks of a Keras cell as its layer does, which keeps them for the next call; return them in torch's order."""
    ops = import_module("keras").ops
    state = ops.zeros((BATCH, UNITS), dtype="float64")
    drawn = cell.get_dropout_mask(inputs[:, 0]), cell.get_recurrent_dropout_mask(state)

    def in_order(masks: Any, rate: float) -> tuple[torch.Tensor, ...]:
        if masks is None or (rate == 1 and kind != "SimpleRNN"):  # drawn, but not used
            return ()
        arrays = [
            torch.from_numpy(np.array(ops.convert_to_numpy(mask))) for mask in (masks if isinstance(masks, list) else [masks])
        ]
        return tuple(arrays) if len(arrays) == 1 else tuple(arrays[gate] for gate in FROM_KERAS[kind])

    return DropoutMasks(in_order(drawn[0], cell.dropout), in_order(drawn[1], cell.recurrent_dropout))


@pytest.mark.backend
@pytest.mark.parametrize("rates", RATES, ids=str)
@pytest.mark.parametrize(("kind", "implementation"), [("SimpleRNN", 2), ("LSTM", 1), ("LSTM", 2), ("GRU", 1), ("GRU", 2)])
def test_with_equal_masks_the_results_are_keras_s(
    kind: str,
    rates: dict[str, float],
    implementation: int,
    randomise: Any,
    compared: Compared,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keras = import_module("keras")
    keras.utils.set_random_seed(3)
    native = make(kind, arguments(kind, rates, implementation))
    module = emulate(randomise(native))
    inputs = np.random.default_rng(0).normal(size=(BATCH, TIME, INPUT))
    mask = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1], [0, 0, 0, 0, 0]], bool)
    for steps in (None, mask):
        fixed = masks_of(native.cell, keras.ops.convert_to_tensor(inputs), kind)
        # The emulation draws masks of the same structure: none, one for all gates, or one per gate.
        drawn = draw_masks(module.slots[0].cell, torch.from_numpy(inputs), INPUT)
        assert [len(masks) for masks in (drawn.inputs, drawn.recurrent)] == [len(fixed.inputs), len(fixed.recurrent)]
        monkeypatch.setattr("frameworks.keras_in_torch.layers.call_and_states.draw_masks", lambda *_, fixed=fixed: fixed)
        comparison = compared(native, module, inputs, mask=steps, training=True, gradients=steps is not None)
        assert comparison.passed, str(comparison)
    if fixed != NO_MASKS:
        assert compared(native, module, inputs, gradients=False).passed  # negative control: none in inference
        masks_of(native.cell, keras.ops.convert_to_tensor(inputs), kind)
        other = replace(
            fixed, inputs=tuple(1 - each for each in fixed.inputs), recurrent=tuple(1 - each for each in fixed.recurrent)
        )
        monkeypatch.setattr("frameworks.keras_in_torch.layers.call_and_states.draw_masks", lambda *_: other)
        assert not compared(native, module, inputs, training=True, gradients=False).passed


def drawn_for(kind: str, rates: dict[str, float], implementation: int = 2) -> DropoutMasks:
    torch.manual_seed(0)
    cell = CELLS[kind](UNITS, input_size=INPUT, **arguments(kind, rates, implementation)).cell
    return draw_masks(cell, torch.zeros(1000, TIME, INPUT), INPUT)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_separate_masks_of_the_gates_are_independent(kind: str) -> None:
    masks = drawn_for(kind, {"dropout": 0.5, "recurrent_dropout": 0.5})
    for each in (masks.inputs, masks.recurrent):
        kept = torch.stack(each) > 0
        assert len(each) == {"LSTM": 4, "GRU": 3}[kind]
        assert abs(float(kept.all(dim=0).float().mean()) - 0.5 ** len(each)) < 0.03
        assert set(torch.stack(each).flatten().tolist()) == {0.0, 2.0}  # kept values are divided by 1 - rate
    (shared,) = drawn_for(kind, {"dropout": 0.5}).inputs
    assert abs(float((shared > 0).float().mean()) - 0.5) < 0.03


def test_rates_are_clipped_as_keras_clips_them() -> None:
    cell = KerasLSTMCell(4, dropout=1.5, recurrent_dropout=-1).cell
    assert (cell.dropout, cell.recurrent_dropout) == (1.0, 0.0)


@pytest.mark.parametrize("kind", LAYERS)
def test_one_mask_holds_for_all_time_steps_and_changes_from_call_to_call(kind: str) -> None:
    torch.manual_seed(0)
    layer: Any = LAYERS[kind](50, "linear", return_sequences=True, dropout=0.5, use_bias=False, recurrent_initializer="zeros")
    # Without recurrence, equal steps give equal outputs unless the input mask changes.
    x = torch.randn(6, 1, 7).expand(6, TIME, 7)
    if kind == "SimpleRNN":
        first = layer(x)
        torch.testing.assert_close(first, first[:, :1].expand_as(first))
        assert (first[0] != first[1]).any()
    assert (layer(x) != layer(x)).any()
    layer.eval()
    torch.testing.assert_close(layer(x), layer(x, training=False), rtol=0, atol=0)
    assert (layer(x, training=True) != layer(x)).any()


def test_the_cell_state_is_never_dropped() -> None:
    """With an open forget gate and a closed input gate, c stays 1 while h is dropped at every step."""
    layer: Any = KerasLSTM(UNITS, input_size=INPUT, recurrent_dropout=0.9, return_state=True)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.bias_ih_l0[:UNITS] = -1e9
        layer.bias_ih_l0[UNITS : 2 * UNITS] = 1e9
    ones = torch.ones(BATCH, UNITS)
    _, _, c = layer(torch.randn(BATCH, TIME, INPUT), initial_state=[ones, ones], training=True)
    torch.testing.assert_close(c, ones, rtol=0, atol=0)


def test_each_direction_and_stacked_cell_draws_its_own_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[int, DropoutMasks]] = []

    def watched(cell: Any, x: torch.Tensor, size: int) -> DropoutMasks:
        drawn.append((size, draw_masks(cell, x, size)))
        return drawn[-1][1]

    monkeypatch.setattr("frameworks.keras_in_torch.layers.call_and_states.draw_masks", watched)
    x = torch.randn(50, TIME, INPUT)
    KerasBidirectional(KerasGRU(UNITS, dropout=0.5))(x)
    KerasRNN([KerasGRUCell(UNITS, dropout=0.5), KerasLSTMCell(UNITS, dropout=0.5)])(x)
    assert [size for size, _ in drawn] == [INPUT, INPUT, INPUT, UNITS]
    assert (drawn[0][1].inputs[0] != drawn[1][1].inputs[0]).any()


def test_dropout_follows_torch_s_seed_and_its_gradients_are_finite() -> None:
    layer = KerasGRU(UNITS, input_size=INPUT, dropout=0.3, recurrent_dropout=0.3)
    x = torch.randn(BATCH, TIME, INPUT)
    outputs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outputs.append(layer(x))
    torch.testing.assert_close(outputs[0], outputs[1], rtol=0, atol=0)
    assert (outputs[0] != outputs[2]).any()
    outputs[0].sum().backward()
    assert all(each.grad is not None and each.grad.isfinite().all() for each in layer.parameters())


@pytest.mark.backend
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_keras_s_layer_with_dropout_in_implementation_1_still_fails(kind: str) -> None:
    """A known deviation: Keras's layer uses its list of masks as one mask. Ours draws one per gate, as RNN over the cell."""
    keras = import_module("keras")
    layer = getattr(keras.layers, kind)(UNITS, dropout=0.5, implementation=1)
    inputs = keras.ops.ones((BATCH, TIME, INPUT))
    module = emulate((layer(inputs), layer)[1])
    with pytest.raises(Exception, match="call"):  # whatever the backend raises
        layer(inputs, training=True)
    assert module(torch.ones(BATCH, TIME, INPUT), training=True).shape == (BATCH, UNITS)


@pytest.mark.backend
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_a_rate_of_1_still_depends_on_keras_s_backend(kind: str, randomise: Any) -> None:
    """A known deviation: the cells drop nothing at a rate of 1, but the torch backend's fast path drops everything."""
    keras = import_module("keras")
    layer = getattr(keras.layers, kind)(UNITS, dropout=1.0)
    inputs = np.random.default_rng(0).normal(size=(BATCH, TIME, INPUT)).astype(np.float32)
    layer.build(inputs.shape)
    module = emulate(randomise(layer))
    actual = module(torch.from_numpy(inputs), training=True).detach().numpy()
    gap = np.abs(actual - keras.ops.convert_to_numpy(layer(inputs, training=True))).max()
    assert (gap < 1e-6) == (keras.backend.backend() == "tensorflow")
