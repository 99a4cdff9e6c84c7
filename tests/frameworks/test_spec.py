"""Every spec and every set of options that exists makes sense."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from frameworks import KerasOptions, RecurrentSpec

WRONG_SPECS: tuple[tuple[dict[str, Any], tuple[str, ...]], ...] = (
    ({"cell": "LSTM"}, ("cell", "'LSTM'", "lstm, gru, rnn")),
    ({"cell": ["lstm"]}, ("cell", "['lstm']")),
    ({"cell": None}, ("cell", "None")),
    ({"input_size": 0}, ("input_size", "0")),
    ({"hidden_size": -3}, ("hidden_size", "-3")),
    ({"hidden_size": 4.5}, ("hidden_size", "4.5")),
    ({"hidden_size": "8"}, ("hidden_size", "'8'")),
    ({"num_layers": True}, ("num_layers", "True")),
    ({"num_layers": 0}, ("num_layers", "0")),
    ({"bidirectional": 1}, ("bidirectional", "1")),
    ({"bias": "no"}, ("bias", "'no'")),
    ({"bias": None}, ("bias", "None")),
    ({"dtype": "float16"}, ("dtype", "'float16'", "Half precision")),
    ({"dtype": "int32"}, ("dtype", "'int32'")),
    ({"dtype": np.float32}, ("dtype", "float32")),
    ({"activation": "tan"}, ("activation", "'tan'")),
    ({"activation": None}, ("activation", "None")),
    ({"recurrent_activation": "Sigmoid"}, ("recurrent_activation", "'Sigmoid'")),
    ({"cell": "rnn", "recurrent_activation": "relu"}, ("recurrent_activation", "'relu'", "lstm and gru", "'rnn'")),
    ({"reset_after": False}, ("reset_after", "False", "gru only", "'lstm'")),
    ({"cell": "gru", "reset_after": 0}, ("reset_after", "0")),
)


@pytest.mark.parametrize(("changes", "said"), WRONG_SPECS)
def test_invalid_values_are_rejected_when_made(
    changes: dict[str, Any], said: tuple[str, ...], refused: Callable[..., Any]
) -> None:
    arguments = {"cell": "lstm", "input_size": 5, "hidden_size": 7, **changes}
    with refused(*said):
        RecurrentSpec(**arguments)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"merge_mode": "avg"}, ("merge_mode", "'avg'", "'ave'")),
        ({"merge_mode": ["sum"]}, ("merge_mode", "['sum']")),
        ({"nesting": "stack"}, ("nesting", "'stack'")),
        ({"return_sequences": "no"}, ("return_sequences", "'no'")),
        ({"return_state": 1}, ("return_state", "1")),
        ({"stateful": None}, ("stateful", "None")),
        ({"dropout": 1.5}, ("dropout", "1.5")),
        ({"recurrent_dropout": -0.5}, ("recurrent_dropout", "-0.5")),
        ({"dropout": float("nan")}, ("dropout", "nan")),
        ({"dropout": "0.5"}, ("dropout", "'0.5'")),
    ],
)
def test_options_that_keras_does_not_have_are_refused(
    changes: dict[str, Any], said: tuple[str, ...], refused: Callable[..., Any]
) -> None:
    with refused(*said):
        KerasOptions(**changes)


def test_properties_that_follow_from_a_spec() -> None:
    spec = RecurrentSpec("lstm", 5, 7, num_layers=3, bidirectional=True)
    assert spec.gates == ("input", "forget", "candidate", "output")
    assert (spec.num_directions, spec.has_cell_state, spec.state_names) == (2, True, ("h", "c"))
    assert [spec.layer_input_size(layer) for layer in range(3)] == [5, 14, 14]
    gru = RecurrentSpec("gru", 5, 7, num_layers=2)
    assert gru.gates == ("update", "reset", "candidate")
    assert (gru.num_directions, gru.has_cell_state, gru.state_names) == (1, False, ("h",))
    assert [gru.layer_input_size(layer) for layer in range(2)] == [5, 7]


def test_specs_and_options_are_frozen_values() -> None:
    spec, options = RecurrentSpec("gru", 5, 7), KerasOptions()
    assert spec == RecurrentSpec("gru", 5, 7)
    assert hash(spec) == hash(RecurrentSpec("gru", 5, 7))
    for each, field in ((spec, "hidden_size"), (options, "stateful")):
        with pytest.raises(FrozenInstanceError):
            setattr(each, field, 3)
