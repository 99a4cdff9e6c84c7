"""States are returned, accepted and kept from call to call as in Keras."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch

from frameworks import emulate
from frameworks.keras_in_torch.layers import KerasBidirectional, KerasGRU, KerasGRUCell, KerasLSTM, KerasLSTMCell, KerasRNN

BATCH, TIME, INPUT, UNITS = 3, 5, 2, 4
NUMBERS = np.random.default_rng(0)
X = NUMBERS.normal(size=(BATCH, TIME, INPUT))
MASK = np.array([[1, 1, 0, 1, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], bool)


def keras_layer(name: str, **flags: Any) -> Any:
    layers = import_module("keras").layers
    how = {"stateful": True, "dtype": "float64", **flags}
    if name == "Bidirectional":
        return layers.Bidirectional(layers.LSTM(UNITS, **how), dtype="float64")
    if name == "RNN":
        return layers.RNN(layers.GRUCell(UNITS, dtype="float64"), **how)
    return getattr(layers, name)(UNITS, **how)


def gap(layer: Any, module: Any, x: Any = X, mask: Any = None, state: Any = None) -> float:
    """Call both, and return the largest difference of their results and of the states they then store."""
    ops = import_module("keras").ops
    states = (
        (None, None) if state is None else ([ops.convert_to_tensor(each) for each in state], [*map(torch.from_numpy, state)])
    )
    expected = layer(x, mask=None if mask is None else ops.convert_to_tensor(mask), initial_state=states[0])
    actual = module(torch.from_numpy(x), mask=None if mask is None else torch.from_numpy(mask), initial_state=states[1])
    directions = [layer.forward_layer, layer.backward_layer] if hasattr(layer, "forward_layer") else [layer]
    stored = [variable for one in directions for variable in one.states]
    pairs = zip([expected, *stored], [actual, *module.states], strict=True)
    return max(float(np.abs(ops.convert_to_numpy(one) - other.detach().numpy()).max()) for one, other in pairs)


@pytest.mark.backend
@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU", "RNN", "Bidirectional"])
def test_a_stateful_layer_continues_where_it_stopped_as_in_keras(name: str, randomise: Any) -> None:
    tolerance = 1e-12 if import_module("keras").backend.backend() == "tensorflow" else 1e-5
    layer = keras_layer(name)
    layer(X)
    layer = randomise(layer)
    layer(X)  # to have states that can be carried over
    module = emulate(layer)
    for mask in (None, MASK, None):
        assert gap(layer, module, mask=mask) < tolerance
    for state in (layer.reset_state(), module.reset_state()):
        assert state is None
    assert not any(each.any() for each in module.states)
    assert gap(layer, module) < tolerance
    start = [NUMBERS.normal(size=(BATCH, UNITS)) for _ in module.states]
    assert gap(layer, module, state=start) < tolerance  # and it updates what is stored
    assert gap(layer, module) < tolerance
    module.reset_states()  # Keras's other name; now the states differ
    assert gap(layer, module) > 1e-3


@pytest.mark.backend
def test_making_and_changing_an_emulation_leaves_the_layer_unchanged(snapshot: Any) -> None:
    for name in ("LSTM", "Bidirectional"):
        layer = keras_layer(name)
        layer(X)
        before = snapshot(layer)
        module = emulate(layer)
        module(torch.from_numpy(X))
        with torch.no_grad():
            for tensor in (*module.parameters(), *module.buffers()):
                tensor.add_(1)
        assert snapshot(layer) == before


def test_two_halves_of_a_sequence_give_the_result_of_the_whole() -> None:
    torch.manual_seed(0)
    x = torch.from_numpy(X)
    whole = KerasLSTM(UNITS, dtype="float64", return_sequences=True)
    parts = KerasLSTM(UNITS, dtype="float64", return_sequences=True, stateful=True)
    expected = whole(x)
    parts.load_state_dict(whole.state_dict())
    torch.testing.assert_close(torch.cat([parts(x[:, :2]), parts(x[:, 2:])], dim=1), expected)
    assert (parts(x[:, 2:]) - expected[:, 2:]).abs().max() > 1e-3


def test_stored_states_are_not_parameters_and_move_with_the_module() -> None:
    layer = KerasGRU(UNITS, stateful=True)
    assert layer.states is None
    layer(torch.zeros(BATCH, TIME, INPUT))
    assert "state_h_l0" in dict(layer.named_buffers())
    assert all("state" not in name for name in layer.state_dict())
    assert layer.double().states[0].dtype == torch.float64
    assert layer.to("meta").states[0].device.type == "meta"


def test_another_batch_is_refused_and_nothing_is_stored(refused: Any) -> None:
    layer = KerasLSTM(UNITS, stateful=True)
    x = torch.randn(BATCH, TIME, INPUT)
    layer(x)
    before = deepcopy(layer.states)
    with refused("batch size", "3", "2"):
        layer(x[:2])
    with refused("batch size", "3", "2"):
        layer(x[:2], initial_state=[torch.zeros(2, UNITS)] * 2)
    with refused("batch size", "3", "2"):
        layer.store_states([torch.zeros(2, UNITS)] * 2)
    for one, other in zip(layer.states, before, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_gradients_stop_at_the_start_of_a_call() -> None:
    layer = KerasGRU(UNITS, stateful=True)
    x = torch.randn(BATCH, TIME, INPUT, requires_grad=True)
    layer(x)
    layer(x.detach()).sum().backward()
    assert x.grad is None
    (layer(x).sum() + layer(x).sum()).backward()  # overwrites the stored states, but nothing that the graph needs
    assert x.grad is not None


def test_a_call_in_inference_mode_leaves_states_that_can_be_overwritten() -> None:
    layer, x = KerasGRU(UNITS, stateful=True), torch.randn(BATCH, TIME, INPUT)
    for call in (lambda: layer(x), layer.reset_state, lambda: layer(x)):
        with torch.inference_mode():
            call()
        layer(x).sum().backward()


NESTINGS: dict[str, tuple[Callable[[], Any], list[Any]]] = {
    "LSTM": (lambda: KerasLSTM(4, return_state=True), [4, 4]),
    "GRU": (lambda: KerasGRU(4, return_state=True), [4]),
    "two": (lambda: KerasBidirectional(KerasLSTM(4, return_state=True)), [4, 4, 4, 4]),
    "stack": (lambda: KerasRNN([KerasLSTMCell(4), KerasGRUCell(5)], return_state=True), [[4, 4], [5]]),
    "stack of one": (lambda: KerasRNN([KerasGRUCell(5)], return_state=True), [[5]]),
    "two stacks": (
        lambda: KerasBidirectional(KerasRNN([KerasGRUCell(4), KerasLSTMCell(5)], return_state=True)),
        [[4], [5, 5], [4], [5, 5]],
    ),
}


@pytest.mark.parametrize("name", NESTINGS)
def test_states_are_returned_in_the_nesting_in_which_they_are_passed(name: str) -> None:
    def widths(nest: Any) -> Any:
        return [widths(each) for each in nest] if isinstance(nest, list) else nest.shape[-1]

    make, expected = NESTINGS[name]
    layer, x = make(), torch.randn(BATCH, TIME, INPUT)
    _, *states = layer(x)
    assert widths(states) == expected
    _, *again = layer(x, initial_state=states)
    assert widths(again) == expected
    flat = torch.cat([each.flatten() for state in states for each in (state if isinstance(state, list) else [state])])
    other = torch.cat([each.flatten() for state in again for each in (state if isinstance(state, list) else [state])])
    assert (flat != other).any()  # the initial state has an effect


def test_a_layer_tells_its_options_and_passes_on_its_mask() -> None:
    layer = KerasBidirectional(KerasLSTM(4, return_sequences=True), "sum")
    assert (layer.options.merge_mode, layer.options.return_sequences, layer.options.nesting) == ("sum", True, "layers")
    assert "units=4" in repr(layer)
    assert layer.compute_mask(torch.zeros(1, 2, 3), torch.ones(1, 2)) is not None
    assert KerasLSTM(4).compute_mask(torch.zeros(1, 2, 3), torch.ones(1, 2)) is None
