"""Remedies of `diagnose`."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import torch
from torch import nn

from gatewise import compare_models, convert, diagnose
from tests.remedies.arrays import LAYERS, X, lstm
from tests.remedies.following import case, refuses


@case
def the_call_of_a_port() -> None:
    layer = lstm(return_sequences=True)
    rnn = convert(layer)
    with refuses("Pass the module, the model or the function that replaces the right layer."):
        diagnose(layer, 3)
    with refuses("Pass what the porter calls in place of the right layer, with the same arguments."):
        diagnose(layer, lambda: None)
    with refuses("Return the same arrays in the same order, nested in any way."):
        diagnose(layer, lambda x: (*rnn(x),))
    with refuses("Return what the right layer's own call returns, nested in any way."):
        diagnose(layer, lambda x: "text")
    assert diagnose(layer, lambda x: [rnn(x)[0]], X)


@case
def what_a_port_holds_and_returns() -> None:
    layer = lstm(return_sequences=True)
    rnn, port = convert(layer), LAYERS.LSTM(4, return_sequences=True)
    with refuses("Call it once, or build it, and copy the weights into it."):
        diagnose(layer, port)
    port(X)
    port.set_weights(layer.get_weights())
    assert diagnose(layer, port)
    packed = nn.utils.rnn.pack_padded_sequence
    with refuses("Unpack it: pad_packed_sequence(packed, batch_first=True, total_length=x.shape[1])[0]."):
        diagnose(layer, lambda x: rnn(packed(x, [5, 5], batch_first=True))[0], X)
    unpacked = nn.utils.rnn.pad_packed_sequence

    def unpacking(x: torch.Tensor) -> torch.Tensor:
        return unpacked(rnn(packed(x, [5, 5], batch_first=True))[0], batch_first=True, total_length=x.shape[1])[0]

    assert diagnose(layer, unpacking, X)


@case
def the_arguments_of_a_diagnosis() -> None:
    layer = lstm(return_sequences=True)
    rnn = convert(layer)
    with refuses("Leave it out, or pass a whole number."):
        diagnose(layer, rnn, seed=-1)
    assert diagnose(layer, rnn, seed=1)
    with refuses("Check its weights, and pass finite inputs."):
        diagnose(layer, rnn, np.full_like(X, np.nan))
    assert diagnose(layer, rnn, X)


@case
def a_list_of_layers_that_are_no_stack() -> None:
    layers = [LAYERS.LSTM(units, return_sequences=True) for units in (4, 5)]
    model = keras.Sequential([keras.Input((7, 3)), *layers])
    rnns: Any = nn.ModuleList(map(convert, layers))

    class Port(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnns = rnns

        def forward(self, x: torch.Tensor) -> Any:
            return rnns[1](rnns[0](x)[0])[0]

    for wrong in (False, True):
        if wrong:
            rnns[1].weight_hh_l0.data.mul_(2)
            with refuses("Diagnose one layer at a time, or pass both models to gatewise.compare_models, *"):
                diagnose(layers, Port())
        assert [bool(diagnose(*pair)) for pair in zip(layers, rnns, strict=True)] == [True, not wrong]
        first = compare_models(model, Port()).first
        assert (first is not None and first.actual == "rnns.1") == wrong
