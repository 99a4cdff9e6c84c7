"""Arguments and defaults are Keras's; whatever does not fit is refused by name before anything is computed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
import torch

from frameworks.keras_in_torch import layers as pytorch
from frameworks.keras_in_torch.layers import (
    KerasBidirectional,
    KerasGRU,
    KerasGRUCell,
    KerasLSTM,
    KerasLSTMCell,
    KerasRNN,
    KerasSequential,
    KerasSimpleRNN,
    KerasSimpleRNNCell,
)
from frameworks.keras_in_torch.layers.arguments import CELL_ARGUMENTS, PENALTIES

BATCH, TIME, INPUT, UNITS = 3, 5, 2, 4
X = torch.randn(BATCH, TIME, INPUT)


def state(batch: int = BATCH, units: int = UNITS) -> torch.Tensor:
    return torch.zeros(batch, units)


def defaults_of(function: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not one.empty}


@pytest.mark.backend
@pytest.mark.parametrize(("name", "kind"), [("SimpleRNNCell", "rnn"), ("LSTMCell", "lstm"), ("GRUCell", "gru")])
def test_the_cells_take_keras_s_arguments_with_keras_s_defaults(name: str, kind: Any) -> None:
    expected = defaults_of(getattr(import_module("keras").layers, name).__init__)
    assert expected.pop("activation") == "tanh"
    # Keras takes these in **kwargs: those of every layer, and the gated cells' implementation.
    taken = {"name": None, "dtype": None, "trainable": True} | ({} if kind == "rnn" else {"implementation": 2})
    # Regularisers and constraints are refused; only layers have an activity_regularizer.
    assert {**CELL_ARGUMENTS[kind]} == {**expected, **taken, "activity_regularizer": None}


@pytest.mark.backend
@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
def test_the_layers_take_keras_s_flags_with_keras_s_defaults(name: str) -> None:
    expected = defaults_of(getattr(import_module("keras").layers, name).__init__)
    own = defaults_of(getattr(pytorch, f"Keras{name}").__init__)
    kind: Any = {"SimpleRNN": "rnn"}.get(name, name.lower())
    known = {**CELL_ARGUMENTS[kind], **own}
    assert {option: known[option] for option in expected} == expected
    # Keras takes the others in **kwargs.
    assert set(known) - set(expected) <= {"zero_output_for_mask", "use_cudnn", "implementation", "name", "dtype", "trainable"}


@pytest.mark.backend
def test_the_wrappers_take_keras_s_flags_with_keras_s_defaults() -> None:
    layers = import_module("keras").layers
    assert defaults_of(KerasRNN.__init__) == defaults_of(layers.RNN.__init__)
    expected = defaults_of(layers.Bidirectional.__init__)
    assert expected.pop("weights") is None  # Keras 3 never reads it
    assert defaults_of(KerasBidirectional.__init__) == expected


WRONG_ARGUMENTS: dict[str, tuple[Callable[[], object], str]] = {
    "no units": (lambda: KerasLSTM(0), "units"),
    "half a unit": (lambda: KerasGRU(4.5), "4.5"),  # type: ignore[arg-type]
    "an argument of torch's": (lambda: KerasLSTM(4, num_layers=2), "num_layers"),
    "an argument of another cell": (lambda: KerasSimpleRNN(4, reset_after=True), "reset_after"),
    "an unknown initialiser": (lambda: KerasLSTM(4, kernel_initializer="glorot"), "kernel_initializer"),
    "no initialiser": (lambda: KerasLSTM(4, recurrent_initializer=3), "recurrent_initializer"),
    "an unknown dtype": (lambda: KerasLSTM(4, dtype="float31"), "float31"),
    "a dtype of whole numbers": (lambda: KerasLSTM(4, dtype=torch.int32), "int32"),
    "an unknown merge mode": (lambda: KerasBidirectional(KerasLSTM(4), "avg"), "avg"),  # type: ignore[arg-type]
    "a layer of torch's": (lambda: KerasBidirectional(torch.nn.LSTM(2, 4)), "LSTM"),  # type: ignore[arg-type]
    "two directions at once": (lambda: KerasBidirectional(KerasBidirectional(KerasLSTM(4))), "KerasBidirectional"),  # type: ignore[arg-type]
    "a custom cell": (lambda: KerasRNN(torch.nn.LSTMCell(2, 4)), "LSTMCell"),  # type: ignore[arg-type]
    "no cell": (lambda: KerasRNN([]), "are 0"),
    "a cell twice": (lambda: KerasRNN([KerasLSTMCell(4)] * 2), "are 1 in a list of 2"),
    "cells of two dtypes": (lambda: KerasRNN([KerasLSTMCell(4), KerasLSTMCell(4, dtype="float64")]), "dtype"),
    "cells that do not fit": (lambda: KerasRNN([KerasLSTMCell(4), KerasLSTMCell(4, input_size=7)]), "input_size"),
    "directions of two dtypes": (
        lambda: KerasBidirectional(KerasGRU(4), backward_layer=KerasGRU(4, go_backwards=True, dtype="mixed_float16")),
        "dtypes",
    ),
    "directions of two inputs": (
        lambda: KerasBidirectional(KerasGRU(4, input_size=2), backward_layer=KerasGRU(4, go_backwards=True, input_size=3)),
        "input_size",
    ),
    "both directions forwards": (lambda: KerasBidirectional(KerasGRU(4), backward_layer=KerasGRU(4)), "go_backwards"),
    "one direction's states": (
        lambda: KerasBidirectional(KerasGRU(4), backward_layer=KerasGRU(4, go_backwards=True, return_state=True)),
        "return_state",
    ),
    "no layers": (lambda: KerasSequential([]), "an empty list"),
    "states between layers": (lambda: KerasSequential([KerasGRU(4, return_state=True), KerasGRU(3)]), "layer 0"),
    "directions apart between layers": (
        lambda: KerasSequential([KerasBidirectional(KerasGRU(4, return_sequences=True), None), KerasGRU(3)]),
        "layer 0",
    ),
}


@pytest.mark.parametrize("name", WRONG_ARGUMENTS)
def test_wrong_arguments_are_refused_by_name(name: str, refused: Any) -> None:
    make, said = WRONG_ARGUMENTS[name]
    with refused(said):
        make()


@pytest.mark.parametrize("name", PENALTIES)
def test_a_refused_regulariser_or_constraint_says_where_it_belongs(name: str, refused: Any) -> None:
    given: dict[str, Any] = {name: "l2"}
    with refused(name, "training loop", "penalty to the loss"):
        KerasLSTM(4, **given)
    given[name] = None
    KerasLSTM(4, **given)


WRONG_CALLS: dict[str, tuple[Callable[[], Any], dict[str, Any], str]] = {
    "NumPy's inputs": (lambda: KerasLSTM(4), {"inputs": X.numpy()}, "ndarray"),
    "one sequence": (lambda: KerasLSTM(4), {"inputs": X[0]}, "(5, 2)"),
    "four axes": (lambda: KerasLSTM(4), {"inputs": X[None]}, "(batch, time, input)"),
    "other features": (lambda: KerasLSTM(4, input_size=3), {"inputs": X}, "(batch, time, 3)"),
    "no features": (lambda: KerasLSTM(4), {"inputs": X[..., :0]}, "input_size"),
    "no time step": (lambda: KerasLSTM(4), {"inputs": X[:, :0]}, "(3, 0, 2)"),
    "a mask as list": (lambda: KerasLSTM(4), {"mask": [[True] * TIME] * BATCH}, "list"),
    "a mask of NumPy": (lambda: KerasLSTM(4), {"mask": torch.ones(BATCH, TIME).numpy()}, "ndarray"),
    "a shorter mask": (lambda: KerasLSTM(4), {"mask": torch.ones(BATCH, TIME - 1, dtype=torch.bool)}, "(3, 4)"),
    "a mask of another batch": (lambda: KerasLSTM(4), {"mask": torch.ones(1, TIME, dtype=torch.bool)}, "(1, 5)"),
    "a mask a feature": (lambda: KerasLSTM(4), {"mask": torch.ones(BATCH, TIME, 1)}, "(3, 5, 1)"),
    "a mask of lengths": (lambda: KerasLSTM(4), {"mask": torch.full((BATCH, TIME), 5)}, "0 and 1"),
    "a mask of halves": (lambda: KerasLSTM(4), {"mask": torch.full((BATCH, TIME), 0.5)}, "float32"),
    "a mask of NaN": (lambda: KerasLSTM(4), {"mask": torch.full((BATCH, TIME), torch.nan)}, "0 and 1"),
    "no c": (lambda: KerasLSTM(4), {"initial_state": [state()]}, "list of 2"),
    "h alone to an LSTM": (lambda: KerasLSTM(4), {"initial_state": state()}, "Tensor"),
    "a state too many": (lambda: KerasGRU(4), {"initial_state": [state(), state()]}, "2 entries"),
    "a state that is none": (lambda: KerasLSTM(4), {"initial_state": [state(), None]}, "c of initial_state"),
    "a state of one row": (lambda: KerasGRU(4), {"initial_state": state(1)}, "(1, 4)"),
    "a state of torch's": (lambda: KerasGRU(4), {"initial_state": state()[None]}, "h_n"),
    "a state of other units": (lambda: KerasGRU(4), {"initial_state": state(units=5)}, "(3, 5)"),
    "one direction's state": (lambda: KerasBidirectional(KerasGRU(4)), {"initial_state": [state()]}, "list of 2"),
    "a stack's states flat": (
        lambda: KerasRNN([KerasLSTMCell(4), KerasLSTMCell(4)]),
        {"initial_state": [state() for _ in range(4)]},
        "list of 2",
    ),
    "a stack's states of another cell": (
        lambda: KerasRNN([KerasLSTMCell(4), KerasGRUCell(4)]),
        {"initial_state": [[state()], [state()]]},
        "initial_state[0]",
    ),
}


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_wrong_calls_are_refused_before_anything_is_computed(name: str, refused: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    make, how, said = WRONG_CALLS[name]
    layer = make()
    monkeypatch.setattr("frameworks.keras_in_torch.layers.call_and_states.run_directions", pytest.fail)
    with refused(said):
        layer(**{"inputs": X, **how})


@pytest.mark.parametrize("cell", [KerasSimpleRNNCell, KerasGRUCell, KerasLSTMCell])
def test_wrong_calls_of_a_cell_are_refused_before_anything_is_computed(
    cell: Any, refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = [state()] * (2 if cell is KerasLSTMCell else 1)
    monkeypatch.setattr("frameworks.keras_in_torch.layers.cell_modules.make_step", pytest.fail)
    for inputs, states, said in (
        (X, right, "(batch, input)"),
        (X[:, 0], [*right, state()], "arrays"),
        (X[:, 0], [state(2)] * len(right), "(2, 4)"),
    ):
        with refused(said):
            cell(4)(inputs, states)


def test_an_empty_batch_gives_an_empty_result_as_in_keras() -> None:
    """All backends of Keras do so, except for the LSTM with biases on TensorFlow's CPU kernel."""
    empty = X[:0]
    none = torch.zeros(0, TIME, dtype=torch.bool)
    for mask in (None, none):
        for layer in (KerasLSTM(4), KerasGRU(4, reset_after=False), KerasSimpleRNN(4, "elu")):
            assert layer(empty, mask=mask).shape == (0, 4)
        both = KerasBidirectional(KerasGRU(4, return_sequences=True, return_state=True))
        assert [each.shape for each in both(empty, mask=mask)] == [(0, TIME, 8), (0, 4), (0, 4)]


@pytest.mark.backend
@pytest.mark.parametrize("kind", ["SimpleRNN", "GRU"])
def test_keras_gives_an_empty_result_for_an_empty_batch(kind: str) -> None:
    keras = import_module("keras")
    layer = getattr(keras.layers, kind)(4)
    layer.build((None, TIME, INPUT))
    assert tuple(layer(keras.ops.zeros((0, TIME, INPUT))).shape) == (0, 4)
