"""An adapter shows the layer that it adapts: framework, class, name, sizes, and the options that differ from the defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest
import torch

from frameworks import adapt, copy_weights, emulate


def lstm(**options: Any) -> Any:
    layer = keras.layers.LSTM(4, name="encoder", **options)
    layer.build((None, None, 3))
    return layer


MAKERS: dict[str, Callable[[], Any]] = {
    "<KerasAdapter of Keras LSTM 'encoder' (3 -> 4)>": lstm,
    "<PyTorchAdapter of PyTorch nn.GRU (3 -> 4, 2 layers, two directions)>": lambda: torch.nn.GRU(3, 4, 2, bidirectional=True),
    "<EmulatedKerasAdapter of PyTorch nn.LSTM (3 -> 4)>": lambda: emulate(lstm()),
    "<EmulatedAdapter of Keras GRU 'recurrent' (3 -> 4)>": lambda: emulate(torch.nn.GRU(3, 4), to="keras"),
}


@pytest.mark.backend
@pytest.mark.parametrize("line", MAKERS)
def test_an_adapter_shows_its_layer_in_a_line(line: str) -> None:
    native = MAKERS[line]()
    if "recurrent" in line:
        native.name = "recurrent"
    adapter = adapt(native)
    assert repr(adapter) == line
    broken: Any = object.__new__(type(adapter))
    assert repr(broken) == f"<{type(adapter).__name__}>"
    assert broken._repr_markdown_().startswith("`<")


def test_a_notebook_shows_the_options() -> None:
    shown: Any = adapt(lstm(return_sequences=True, recurrent_activation="hard_sigmoid"))
    assert shown._repr_markdown_().split("\n") == [
        "| KerasAdapter | value |",
        "| --- | --- |",
        "| framework | Keras |",
        "| cell | lstm |",
        "| input\\_size | 3 |",
        "| hidden\\_size | 4 |",
        "| num\\_layers | 1 |",
        "| bidirectional | False |",
        "| bias | True |",
        "| dtype | float32 |",
        "| activation | tanh |",
        "| recurrent\\_activation | hard\\_sigmoid |",
        "| return\\_sequences | True |",
        "",
    ]


def test_a_copy_says_what_became_of_the_biases_in_a_line() -> None:
    summary = copy_weights(lstm(), torch.nn.LSTM(3, 4))
    assert repr(summary) == (
        "<copied Keras LSTM 'encoder' (3 -> 4) into PyTorch nn.LSTM (3 -> 4): 1 layer, 4 arrays; each second bias is 0, see "
        "freeze_second_bias before training>"
    )
