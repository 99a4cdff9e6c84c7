"""A return-value map prints what it evaluates, and refuses what it cannot map."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
import torch

from compare import ReturnsMap, check_parity, returns_map
from frameworks import GatewiseError, KerasOptions, RecurrentSpec, convert
from frameworks.options import Nesting
from frameworks.spec import CellName, Stack


def test_an_lstm_returns_one_array_more_than_a_gru() -> None:
    options = KerasOptions(return_sequences=True, return_state=True)
    gru, lstm = (returns_map(RecurrentSpec(cell, 1, 1), options) for cell in ("gru", "lstm"))
    assert [(item.keras, item.meaning, item.shape, item.pytorch) for item in lstm.items] == [
        ("result[0]", "output of every time step", ("batch", "time", "hidden"), "output"),
        ("result[1]", "last hidden state", ("batch", "hidden"), "h_n[0]"),
        ("result[2]", "last cell state", ("batch", "hidden"), "c_n[0]"),
    ]
    assert gru.items == lstm.items[:2]
    assert (gru.call, gru.code, lstm.code) == ("rnn(x)", "output, h_n = rnn(x)", "output, (h_n, c_n) = rnn(x)")


def test_expressions_look_as_a_porter_would_write_them() -> None:
    stack = Stack("lstm", 4, 1, bidirectional=True)
    both = returns_map(stack, KerasOptions(return_state=True, go_backwards=True))
    assert both.call == "rnn(x.flip(1))"
    assert [item.pytorch for item in both.items] == [
        "torch.cat((h_n[0], h_n[1]), dim=-1)",
        "h_n[0]",
        "c_n[0]",
        "h_n[1]",
        "c_n[1]",
    ]
    assert [entry.keras for entry in both.reverse[1:]] == [
        "keras.ops.stack((result[1], result[3]))",
        "keras.ops.stack((result[2], result[4]))",
    ]
    apart = returns_map(stack, KerasOptions(return_sequences=True, merge_mode=None))
    assert [item.pytorch for item in apart.items] == ["output[..., :4]", "output[..., 4:]"]
    joined = returns_map(stack, KerasOptions(return_sequences=True))
    assert [(entry.keras, entry.caveat, entry.changed) for entry in joined.reverse] == [
        ("result", "", ()),
        ("keras.ops.stack((result[:, -1, :4], result[:, 0, 4:]))", "only without a mask", ()),
        ("keras.ops.stack((result[2], result[4]))", "", (("return_state", True),)),
    ]
    assert joined.missing == {"c_n": "return_state=False returns no cell state"}
    assert joined.reverse[2].flags == {"return_sequences": True, "return_state": True, "merge_mode": "concat"}
    added = returns_map(stack, KerasOptions(merge_mode="sum"))
    assert added.items[0].meaning == "output of the last time step read, both directions added"
    assert added.reverse[0].changed == (("return_sequences", True), ("merge_mode", "concat"))
    cells = returns_map(Stack("lstm", 4, 2, bidirectional=True), KerasOptions(return_state=True, nesting="cells"))
    assert (cells.items[4].keras, cells.items[4].meaning) == (
        "result[2][1]",
        "last cell state of the forward direction of layer 1",
    )


def test_markdown_holds_every_expression_and_no_heading() -> None:
    nestings: tuple[Nesting, ...] = ("layers", "cells")
    for bidirectional, nesting, backwards in itertools.product((False, True), nestings, (False, True)):
        stack = Stack("lstm", 4, 2 if nesting == "cells" else 1, bidirectional)
        mapped = returns_map(stack, KerasOptions(return_state=True, go_backwards=backwards, stateful=True, nesting=nesting))
        text = mapped.to_markdown()
        assert mapped.code in text
        for item in mapped.items:
            wanted = (item.keras, item.meaning, item.pytorch, *(one.text for one in item.equivalents))
            assert all(part in text for part in wanted), item
        assert all(entry.keras and entry.keras in text and entry.missing in text for entry in mapped.reverse)
        assert ("go_backwards=True" in text) is backwards
        assert "stateful=True" in text
        assert not any(line.startswith("#") for line in text.splitlines())
        assert text.endswith("\n")


def _map_of(cell: CellName = "lstm", **flags: Any) -> ReturnsMap:
    return returns_map(Stack(cell, 4), KerasOptions(**flags))


@pytest.mark.parametrize(
    ("cell", "arrays", "said"),
    [
        (
            "lstm",
            ((3, 2, 4), (1, 2, 4), (1, 2, 4)),
            r"h_n must have shape \(layer \* direction = 1, batch = 3, hidden = 4\), but has",
        ),
        (
            "lstm",
            ((2, 3, 5), (1, 2, 4), (1, 2, 4)),
            r"output must have shape \(batch, time, direction \* hidden = 4\), but has",
        ),
        ("lstm", ((2, 3, 4), (1, 2, 4), (2, 2, 4)), r"c_n must have shape .*, but has \(2, 2, 4\)"),
        ("lstm", ((2, 3, 4), (2, 4), (1, 2, 4)), r"h_n must have shape .*, but has \(2, 4\)"),
        ("lstm", ((3, 4), (1, 4), (1, 4)), r"output must have shape .*, but has \(3, 4\)"),
        ("lstm", ((2, 3, 4), (1, 2, 4)), "the states must be h_n and c_n, since an LSTM has both, but are one"),
        (
            "gru",
            ((2, 3, 4), (1, 2, 4), (1, 2, 4)),
            "the states must be h_n alone, since only an LSTM has a c_n, but are 2 arrays",
        ),
    ],
)
def test_to_keras_refuses_what_the_counterpart_does_not_return(cell: CellName, arrays: Any, said: str) -> None:
    with pytest.raises(GatewiseError, match=said):
        _map_of(cell).to_keras(*(np.zeros(shape) for shape in arrays))
    with pytest.raises(GatewiseError, match=said):
        _map_of(cell).to_keras(*(torch.zeros(shape) for shape in arrays))


def test_to_keras_refuses_other_kinds_of_arrays() -> None:
    output, state = np.zeros((2, 3, 4)), np.zeros((1, 2, 4))
    mapped = _map_of("gru")
    for arrays, said in (
        (([1.0], state), "output must be a NumPy array or a torch tensor, but is a list"),
        ((None, state), "but is a NoneType"),
        ((torch.nn.utils.rnn.pack_sequence([torch.zeros(3, 4)]), torch.zeros(1, 1, 4)), "pad_packed_sequence"),
        ((output, torch.tensor(state)), "h_n must have the type and dtype of output"),
        ((output, state.astype("float32")), "but is a ndarray of float32"),
        ((output, (state,)), "are one tuple"),
        ((output, (state, state)), "be h_n alone"),
    ):
        with pytest.raises(GatewiseError, match=said):
            mapped.to_keras(*arrays)
    with pytest.raises(GatewiseError, match="are 3 arrays"):
        _map_of("lstm").to_keras(output, (state, state), state)


@pytest.mark.parametrize(
    ("flags", "returned", "said"),
    [
        ({"return_state": True}, ((2, 4), (2, 4)), "result must be a tuple or list of 3, but has 2"),
        ({"return_state": True}, (2, 4), "result must be a tuple or list of 3, but is one ndarray"),
        ({}, ((2, 4), (2, 4)), "result must be an array of float32 or float64 numbers, but is a tuple"),
        ({}, (2, 3, 4), r"result must have shape \(batch, hidden = 4\), but has \(2, 3, 4\)"),
        ({"return_sequences": True}, (2, 4), r"result must have shape \(batch, time, hidden = 4\), but has \(2, 4\)"),
        (
            {"return_state": True},
            ((2, 4), (3, 4), (2, 4)),
            r"result\[1\] must have shape \(batch = 2, hidden = 4\), but has \(3, 4\)",
        ),
        (
            {"return_state": True, "nesting": "cells"},
            ((2, 4), (2, 4), (2, 4)),
            "result must be a tuple or list of 2, but has 3",
        ),
        (
            {"return_state": True, "nesting": "cells"},
            ((2, 4), ((2, 4),)),
            r"result\[1\] must be a tuple or list of 2, but has 1",
        ),
        ({"return_state": True}, ((2, 4), ((2, 4), (2, 4)), (2, 4)), r"result\[1\] must be an array .*, but is a tuple"),
    ],
)
def test_to_torch_refuses_what_these_flags_do_not_return(flags: dict[str, Any], returned: Any, said: str) -> None:
    def zeros(shape: Any) -> Any:
        return tuple(map(zeros, shape)) if isinstance(shape[0], tuple) else np.zeros(shape)

    with pytest.raises(GatewiseError, match=said):
        _map_of(**flags).to_torch(zeros(returned))


def test_to_torch_refuses_dtypes_that_no_single_call_returns() -> None:
    output, state = np.zeros((2, 4), "float32"), np.zeros((2, 4))
    with pytest.raises(
        GatewiseError, match=r"result\[2\] must have the type and dtype of result\[0\], .* but is .* of float64"
    ):
        _map_of("lstm", return_state=True).to_torch((output, output, state))


@pytest.mark.backend
def test_to_torch_refuses_anything_but_arrays_of_numbers() -> None:
    for wrong in (
        np.zeros((2, 4), dtype=int),
        np.zeros((2, 4), dtype="float16"),
        "text",
        None,
        keras.layers.GRU(4)(keras.Input((3, 5))),
    ):
        with pytest.raises(GatewiseError, match="result must be an array of float32 or float64 numbers"):
            _map_of("gru").to_torch(wrong)


def test_a_layer_without_a_map_is_refused_with_a_remedy() -> None:
    stack, options = Stack("gru", 4), KerasOptions()
    for arguments, said in (
        ((torch.nn.GRU(5, 4),), "must be a Keras layer"),
        (
            (stack,),
            "a Keras layer alone, or with a RecurrentSpec and its KerasOptions, but was called with a Stack and nothing",
        ),
        ((keras.layers.GRU(4), options), "was called with a GRU and a KerasOptions"),
        ((stack, {}), "was called with a Stack and a dict"),
        ((keras.layers.GRUCell(4),), r"Wrap it as keras.layers.RNN\(cell\)"),
        ((stack, replace(options, nesting="cell")), r"Wrap it as keras.layers.RNN\(cell\)"),
        ((stack, replace(options, nesting="model")), "must have return_sequences=True and return_state=True"),
        ((Stack("gru", 4, 2), replace(options, go_backwards=True)), "has go_backwards=True: in Keras each layer then reads"),
    ):
        with pytest.raises(GatewiseError, match=said):
            returns_map(*arguments)


@pytest.mark.backend
def test_the_name_of_a_layer_cannot_change_the_page() -> None:
    hostile = "a\x1b[31m\n| row | x\u202e`<script>"
    plain, named = (
        keras.layers.Bidirectional(
            keras.layers.LSTM(4, return_state=True, return_sequences=True, name=f"{name}1"), merge_mode=None, name=name
        )
        for name in ("plain", hostile)
    )
    assert returns_map(named).to_markdown() == returns_map(plain).to_markdown()
    layer = keras.layers.LSTM(4, name=hostile)
    layer.build((None, None, 3))
    text = str(check_parity(layer, convert(layer)))
    assert all(line.isprintable() for line in text.splitlines())
    assert "| row" not in text
