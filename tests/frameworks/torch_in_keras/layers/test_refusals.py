"""Whatever torch refuses, and lengths that packing refuses, are refused before anything is computed.

Covers: `frameworks/torch_in_keras/layers/arguments.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from frameworks.keras.tensors import to_numpy
from frameworks.torch_in_keras.layers import TorchGRU, TorchGRUCell, TorchLSTM, TorchLSTMCell, TorchRNN, TorchRNNCell

pytestmark = pytest.mark.backend

BATCH, TIME, INPUT, HIDDEN = 6, 4, 3, 5

WRONG_OPTIONS: dict[str, tuple[Any, dict[str, Any], tuple[str, ...]]] = {
    "input_size 0": (TorchLSTM, {"input_size": 0}, ("input_size", "0")),
    "hidden_size 0": (TorchGRU, {"hidden_size": 0}, ("hidden_size", "0")),
    "hidden_size as a float": (TorchRNN, {"hidden_size": 5.0}, ("hidden_size", "int", "5.0")),
    "num_layers 0": (TorchLSTM, {"num_layers": 0}, ("num_layers", "0")),
    "bias 1": (TorchLSTM, {"bias": 1}, ("bias", "True or False", "1")),
    "batch_first as text": (TorchLSTM, {"batch_first": "yes"}, ("batch_first", "'yes'")),
    "bidirectional 2": (TorchGRU, {"bidirectional": 2}, ("bidirectional", "2")),
    "dropout above 1": (TorchGRU, {"dropout": 1.5}, ("dropout", "1.5")),
    "dropout below 0": (TorchGRU, {"dropout": -0.5}, ("dropout", "-0.5")),
    "dropout True": (TorchGRU, {"dropout": True}, ("dropout", "True")),
    "dropout as text": (TorchGRU, {"dropout": "0.5"}, ("dropout", "'0.5'")),
    "proj_size of a GRU": (TorchGRU, {"proj_size": 2}, ("proj_size of TorchGRU", "2")),
    "proj_size of an RNN": (TorchRNN, {"proj_size": 2}, ("proj_size of TorchRNN", "2")),
    "proj_size as hidden_size": (TorchLSTM, {"proj_size": HIDDEN}, ("proj_size", "from 0 to 4", "5")),
    "proj_size below 0": (TorchLSTM, {"proj_size": -1}, ("proj_size", "-1")),
    "proj_size as a float": (TorchLSTM, {"proj_size": 2.0}, ("proj_size", "2.0")),
    "nonlinearity sigmoid": (TorchRNN, {"nonlinearity": "sigmoid"}, ("nonlinearity", "'tanh' or 'relu'", "'sigmoid'")),
    "nonlinearity of an LSTM": (TorchLSTM, {"nonlinearity": "relu"}, ("nonlinearity of TorchLSTM", "'relu'")),
    "nonlinearity of a cell": (TorchRNNCell, {"nonlinearity": "gelu"}, ("nonlinearity of TorchRNNCell", "'gelu'")),
    "float16": (TorchLSTM, {"dtype": "float16"}, ("dtype", "float16")),
    "mixed precision": (TorchGRUCell, {"dtype": "mixed_bfloat16"}, ("dtype", "bfloat16")),
}


@pytest.mark.parametrize("name", WRONG_OPTIONS)
def test_options_that_torch_refuses_are_refused(name: str, refused: Callable[..., Any]) -> None:
    cls, wrong, said = WRONG_OPTIONS[name]
    with refused(*said):
        cls(**{"input_size": INPUT, "hidden_size": HIDDEN, **wrong})


def zeros(*shape: int) -> Any:
    return np.zeros(shape, "float32")


STATE = zeros(2, BATCH, HIDDEN)

WRONG_CALLS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "rank 4": ({"inputs": zeros(1, BATCH, TIME, INPUT)}, ("inputs", "(batch, time, 3)", "(1, 6, 4, 3)")),
    "rank 1": ({"inputs": zeros(INPUT)}, ("inputs", "(3,)")),
    "features": ({"inputs": zeros(BATCH, TIME, 4)}, ("inputs", "(batch, time, 3)", "(6, 4, 4)")),
    "no step": ({"inputs": zeros(BATCH, 0, INPUT)}, ("inputs", "time step", "(6, 0, 3)")),
    "integers": ({"inputs": np.zeros((BATCH, TIME, INPUT), "int32")}, ("inputs", "floating-point", "int32")),
    "a list": ({"inputs": [[[0.0] * INPUT]]}, ("inputs", "array", "list")),
    "h alone": ({"hx": STATE}, ("hx", "(h_0, c_0)", "one tensor")),
    "h in a tuple": ({"hx": (STATE,)}, ("hx", "(h_0, c_0)", "tuple of 1")),
    "three states": ({"hx": (STATE,) * 3}, ("hx", "(h_0, c_0)", "tuple of 3")),
    "None for c": ({"hx": (STATE, None)}, ("c_0", "array", "NoneType")),
    "integer states": ({"hx": (STATE, STATE.astype(int))}, ("c_0", "floating-point", "int64")),
    "states batch first": ({"hx": (STATE.swapaxes(0, 1),) * 2}, ("h_0", "(2, 6, 5)", "(6, 2, 5)")),
    "states of one row": ({"hx": (zeros(2, 1, HIDDEN),) * 2}, ("h_0", "(2, 6, 5)", "(2, 1, 5)")),
    "states of another width": ({"hx": (STATE, zeros(2, BATCH, 4))}, ("c_0", "(2, 6, 5)", "(2, 6, 4)")),
    "states without layers": ({"hx": (zeros(BATCH, HIDDEN),) * 2}, ("h_0", "(2, 6, 5)", "(6, 5)")),
    "states time first": ({"hx": (STATE,) * 2, "states_batch_first": True}, ("h_0", "(6, 2, 5)", "(2, 6, 5)")),
    "length 0": ({"lengths": [4, 4, 0, 1, 1, 1]}, ("lengths", "between 1 and the 4", "from 0 to 4")),
    "length above time": ({"lengths": [5, 1, 1, 1, 1, 1]}, ("lengths", "between 1 and the 4", "from 1 to 5")),
    "too few lengths": ({"lengths": [1, 2]}, ("lengths", "(6,)", "(2,)")),
    "too many lengths": ({"lengths": [1] * 7}, ("lengths", "(6,)", "(7,)")),
    "float lengths": ({"lengths": [1.0] * 6}, ("lengths", "ints", "float64")),
    "bool lengths": ({"lengths": [True] * 6}, ("lengths", "ints", "bool")),
    "a mask": ({"lengths": np.ones((BATCH, TIME), int)}, ("lengths", "(6,)", "(6, 4)")),
    "one length": ({"lengths": 4}, ("lengths", "ints", "int")),
    "lengths without a batch": ({"inputs": zeros(TIME, INPUT), "lengths": [4]}, ("lengths", "batch")),
    "batched states without a batch": (
        {"inputs": zeros(TIME, INPUT), "hx": (zeros(2, 1, HIDDEN),) * 2},
        ("h_0", "(2, 5)", "(2, 1, 5)"),
    ),
}


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_a_call_that_does_not_fit_is_refused(name: str, refused: Callable[..., Any]) -> None:
    wrong, said = WRONG_CALLS[name]
    layer = TorchLSTM(INPUT, HIDDEN, bidirectional=True, batch_first=True)
    with refused(*said):
        layer(**{"inputs": zeros(BATCH, TIME, INPUT), **wrong})
    assert not layer.built  # nothing was made, let alone computed


def test_a_pair_of_states_of_a_gru_is_refused(refused: Callable[..., Any]) -> None:
    with refused("hx of TorchGRU", "h_0", "tuple of 2"):
        TorchGRU(INPUT, HIDDEN)(zeros(TIME, BATCH, INPUT), (zeros(1, BATCH, HIDDEN),) * 2)


def test_time_first_shapes_are_named_time_first(refused: Callable[..., Any]) -> None:
    with refused("(time, batch, 3)", "(4, 6, 2)"):
        TorchGRU(INPUT, HIDDEN)(zeros(TIME, BATCH, 2))


WRONG_CELL_CALLS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "a sequence": ({"inputs": zeros(BATCH, TIME, INPUT)}, ("inputs of TorchLSTMCell", "(batch, 3)", "(6, 4, 3)")),
    "no batch": ({"inputs": zeros(INPUT)}, ("inputs", "(batch, 3)", "(3,)")),
    "features": ({"inputs": zeros(BATCH, 4)}, ("inputs", "(batch, 3)", "(6, 4)")),
    "h alone": ({"hx": zeros(BATCH, HIDDEN)}, ("hx", "(h_0, c_0)", "one tensor")),
    "a layer's states": ({"hx": (zeros(1, BATCH, HIDDEN),) * 2}, ("h_0", "(6, 5)", "(1, 6, 5)")),
}


@pytest.mark.parametrize("name", WRONG_CELL_CALLS)
def test_a_cells_call_that_does_not_fit_is_refused(name: str, refused: Callable[..., Any]) -> None:
    wrong, said = WRONG_CELL_CALLS[name]
    with refused(*said):
        TorchLSTMCell(INPUT, HIDDEN)(**{"inputs": zeros(BATCH, INPUT), **wrong})


def test_other_floats_are_cast_as_by_every_layer_of_keras() -> None:
    layer = TorchLSTM(INPUT, HIDDEN)
    x = np.random.default_rng(0).standard_normal((TIME, BATCH, INPUT))
    np.testing.assert_array_equal(to_numpy(layer(x)[0]), to_numpy(layer(x.astype("float32"))[0]))
