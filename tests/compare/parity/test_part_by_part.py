"""Layers that no single spec describes are compared part by part, and as a whole by what their calls return."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from compare import assert_parity, check_parity
from frameworks import emulate
from frameworks.errors import GatewiseError

INPUT = 3
BOTH = {"return_sequences": True, "return_state": True}
MASK = np.array([[1, 1, 0, 1, 0], [0, 0, 1, 1, 1]], bool)


def unequal_directions(layers: Any) -> Any:
    backward = layers.LSTM(5, go_backwards=True, recurrent_activation="hard_sigmoid", **BOTH)
    return layers.Bidirectional(layers.LSTM(4, **BOTH), backward_layer=backward)


def two_kinds(layers: Any) -> Any:
    return layers.Bidirectional(layers.LSTM(4, **BOTH), backward_layer=layers.GRU(4, go_backwards=True, **BOTH))


def unequal_cells(layers: Any) -> Any:
    return layers.RNN([layers.LSTMCell(4), layers.GRUCell(5, reset_after=False)], go_backwards=True, **BOTH)


def stacked_directions(layers: Any) -> Any:
    return layers.Bidirectional(layers.RNN([layers.GRUCell(4), layers.SimpleRNNCell(5)], **BOTH), merge_mode="sum")


COMPOSITES = [unequal_directions, two_kinds, unequal_cells, stacked_directions]


def port(make: Callable[[Any], Any], randomise: Callable[..., Any]) -> tuple[Any, Any]:
    import keras

    layer = make(keras.layers)
    layer.build((None, None, INPUT))
    return randomise(layer), emulate(layer)


@pytest.mark.backend
@pytest.mark.parametrize("make", COMPOSITES)
@pytest.mark.parametrize("call", [{}, {"mask": MASK}, {"mask": MASK, "training": True}], ids=str)
def test_an_emulation_of_unequal_parts_passes_and_fails_when_one_weight_is_off(
    make: Callable[[Any], Any], call: dict[str, Any], randomise: Callable[..., Any]
) -> None:
    import torch

    layer, module = port(make, randomise)
    result = check_parity(layer, module, keras_call=call)
    assert result, str(result)
    assert any(each.kind == "own call" and ":" not in each.name for each in result.comparisons)
    with torch.no_grad():
        module.weight_hh_l0[0, 0] += 0.5
    result = check_parity(layer, module, keras_call=call)
    assert result.verdict == "failed"
    assert result.cause is not None
    assert result.cause.name.startswith(("forward", "cell 0"))


def test_the_states_of_a_whole_are_passed_as_keras_nests_them(randomise: Callable[..., Any]) -> None:
    layer, module = port(unequal_cells, randomise)
    rng = np.random.default_rng(0)
    states = [[rng.normal(size=(2, 4)).astype("float32")] * 2, [rng.normal(size=(2, 5)).astype("float32")]]
    x = rng.normal(size=(2, 5, INPUT)).astype("float32")
    assert_parity(layer, module, x, keras_call={"initial_state": states})
    with pytest.raises(GatewiseError):
        check_parity(layer, module, x, initial_state=states[0][0])


def test_parts_that_do_not_pair_up_are_refused(randomise: Callable[..., Any]) -> None:
    layer, _ = port(unequal_cells, randomise)
    _, module = port(unequal_directions, randomise)
    with pytest.raises(GatewiseError, match="parts of actual must be"):
        check_parity(layer, module)


def test_a_flag_that_changes_what_the_whole_returns_is_found(randomise: Callable[..., Any]) -> None:
    layer, module = port(stacked_directions, randomise)
    module.merge_mode = "ave"
    result = check_parity(layer, module)
    assert {each.name.split(" of ")[0] for each in result.comparisons if not each.within} == {"result[0]"}
