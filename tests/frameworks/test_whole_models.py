"""A whole model is refused with its recurrent layers by name, and the printed lines pair and port the right ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras
import torch
from torch import nn

import gatewise
from frameworks.whole_models import WholeModelError

Randomise = Callable[..., Any]
X = np.random.default_rng(1).normal(size=(2, 5, 3)).astype("float32")


def lines(action: Callable[[], object]) -> list[str]:
    """Return the lines of code in the message of a refusal."""
    with pytest.raises(WholeModelError) as caught:
        action()
    return [line for line in str(caught.value).splitlines() if line.startswith("gatewise.")]


def encoder_decoder(randomise: Randomise) -> Any:
    """Return a Keras model whose decoder starts from the states of its encoder."""
    source, target = keras.Input((6, 3)), keras.Input((5, 3))
    _, *states = keras.layers.LSTM(4, return_state=True, name="encoder")(source)
    decoded = keras.layers.LSTM(4, return_sequences=True, name="decoder")(target, initial_state=states)
    return randomise(keras.Model([source, target], keras.layers.Dense(2)(decoded)))


class Port(nn.Module):
    """A port that defines its decoder first."""

    def __init__(self, decoder: str = "decoder", encoder: str = "encoder") -> None:
        super().__init__()
        self.add_module(decoder, nn.LSTM(3, 4, batch_first=True))
        self.add_module(encoder, nn.LSTM(3, 4, batch_first=True))
        self.out = nn.Linear(4, 2)


def test_layers_of_equal_sizes_are_paired_by_name(randomise: Randomise) -> None:
    model, net = encoder_decoder(randomise), Port()
    assert lines(lambda: gatewise.copy_weights(model, net)) == [
        "gatewise.copy_weights(model.get_layer('encoder'), net.encoder)",
        "gatewise.copy_weights(model.get_layer('decoder'), net.decoder)",
    ]
    for line in lines(lambda: gatewise.copy_weights(model, net)):
        eval(line)  # noqa: S307  as it is printed
    for line in lines(lambda: gatewise.assert_parity(model, net)):
        eval(line)  # noqa: S307
    with pytest.raises(AssertionError):
        gatewise.assert_parity(model.get_layer("encoder"), net.get_submodule("decoder"))


def test_without_names_layers_of_equal_sizes_are_in_order_and_the_message_asks_to_check(randomise: Randomise) -> None:
    with pytest.raises(WholeModelError, match=r"Layers of equal sizes are listed in order: check that they are partners\."):
        gatewise.copy_weights(encoder_decoder(randomise), Port("first", "second"))


def test_what_stands_between_two_layers_keeps_them_from_being_one_stack() -> None:
    def model(*between: Any) -> Any:
        kinds = keras.layers
        layers = [kinds.GRU(4, return_sequences=True, name="a"), *between, kinds.GRU(4, name="b"), kinds.Dense(2)]
        return keras.Sequential([keras.Input((5, 3)), *layers])

    net = nn.ModuleList([nn.GRU(3, 4, num_layers=2), nn.Linear(4, 2)])
    stack = "gatewise.copy_weights([model.get_layer('a'), model.get_layer('b')], net[0])"
    assert lines(lambda: gatewise.copy_weights(model(keras.layers.Dropout(0.1)), net)) == [stack]
    assert lines(lambda: gatewise.copy_weights(model(keras.layers.BatchNormalization()), net)) == []


def test_layers_are_found_in_models_layers_lists_and_wrappers() -> None:
    kinds = keras.layers
    inner = keras.Sequential([keras.Input((5, 3)), kinds.Dense(3), kinds.GRU(4, return_sequences=True, name="g")], name="inner")
    repeated = kinds.TimeDistributed(
        keras.Sequential([keras.Input((4,)), kinds.Reshape((2, 2)), kinds.LSTM(2, name="deep")]), name="each"
    )
    entry = keras.Input((5, 3))
    model = keras.Model(entry, repeated(inner(entry)))
    assert lines(lambda: gatewise.convert(model)) == [
        "gatewise.convert(model.get_layer('inner').get_layer('g'))",
        "gatewise.convert(model.get_layer('each').layer.get_layer('deep'))",
    ]
    with pytest.raises(WholeModelError, match=r"also has Dense '.*' and Reshape"):
        gatewise.convert(model)
    net: Any = nn.Sequential(nn.ModuleDict({"x-y": nn.GRU(3, 4)}), nn.ModuleList([nn.LSTMCell(3, 4)]))
    assert lines(lambda: gatewise.convert(net, to="keras")) == [
        "gatewise.convert(net.get_submodule('0.x-y'), to='keras')",
        "gatewise.convert(net[1][0], to='keras')",
    ]
    for line in lines(lambda: gatewise.convert(net, to="keras")):
        assert eval(line) is not None  # noqa: S307


def test_each_layer_is_ported_by_the_call_that_takes_it() -> None:
    class Own(keras.layers.LSTMCell):  # type: ignore[misc]
        def call(self, *given: Any, **options: Any) -> Any:
            return super().call(*given, **options)

    layers = [keras.layers.GRU(4, return_sequences=True, reset_after=False, name="before"), keras.layers.Dense(3)]
    model = keras.Sequential([keras.Input((5, 3)), *layers, keras.layers.RNN(Own(2), name="own")])
    with pytest.raises(WholeModelError, match=r"model.get_layer\('own'\) cannot be ported: pass it alone to see why."):
        gatewise.convert(model)
    (line,) = lines(lambda: gatewise.convert(model))
    module = eval(line)  # noqa: S307
    np.testing.assert_allclose(module(torch.from_numpy(X)).detach(), model.layers[0](X), atol=1e-5)
    assert line == "gatewise.emulate(model.get_layer('before'))"


def test_layers_that_know_each_other_are_found_once() -> None:
    class Block(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.rnn, self.other = keras.layers.GRU(4, kernel_regularizer="l2"), None

        def call(self, x: Any) -> Any:
            return self.rnn(x)

    first, second = Block(), Block()
    for block in (first, second):
        block(X)
    first.__dict__["other"], second.__dict__["other"] = second, first  # as a layer does that Keras does not track
    assert lines(lambda: gatewise.emulate(first)) == ["gatewise.emulate(layer.rnn)", "gatewise.emulate(layer.other.rnn)"]


def test_a_time_distributed_layer_is_emulated_if_it_repeats_a_recurrent_one() -> None:
    kinds = keras.layers
    hierarchical = keras.Sequential([keras.Input((2, 5, 3)), kinds.TimeDistributed(kinds.LSTM(3), name="td"), kinds.Dense(2)])
    assert lines(lambda: gatewise.convert(hierarchical)) == ["gatewise.emulate(model.get_layer('td'))"]
    per_step = keras.Sequential([keras.Input((5, 3)), kinds.TimeDistributed(kinds.Dense(3)), kinds.LSTM(3, name="lstm")])
    assert lines(lambda: gatewise.emulate(per_step)) == ["gatewise.emulate(model.get_layer('lstm'))"]


def test_a_side_without_a_recurrent_layer_is_refused_for_that() -> None:
    model = keras.Sequential([keras.Input((5, 3)), keras.layers.LSTM(3), keras.layers.Dense(2)])
    with pytest.raises(gatewise.GatewiseError, match="is a Linear, and has none inside"):
        gatewise.assert_parity(model, nn.Linear(3, 3))


def test_a_model_of_keras_2_is_refused_alike() -> None:
    kinds = tf_keras.layers
    model = tf_keras.Sequential(
        [kinds.Input((5, 3)), kinds.LSTM(4, return_sequences=True), kinds.BatchNormalization(), kinds.LSTM(4)]
    )
    names = [layer.name for layer in model.layers]
    assert lines(lambda: gatewise.convert(model)) == [f"gatewise.convert(model.get_layer({names[at]!r}))" for at in (0, 2)]


EMULATED = {
    "Bidirectional over stacked cells": lambda k: k.Bidirectional(k.RNN([k.GRUCell(4), k.GRUCell(4)])),
    "unlike cells": lambda k: k.RNN([k.SimpleRNNCell(4), k.GRUCell(5)]),
    "cells of other activations": lambda k: k.RNN([k.LSTMCell(4), k.LSTMCell(4, activation="elu")]),
    "unlike directions": lambda k: k.Bidirectional(k.LSTM(4), backward_layer=k.LSTM(6, go_backwards=True)),
    "directions of other options": lambda k: k.Bidirectional(
        k.GRU(4), backward_layer=k.GRU(4, reset_after=False, go_backwards=True)
    ),
    "two stateful layers": lambda k: k.Bidirectional(k.LSTM(4, stateful=True)),
    "the product of two directions": lambda k: k.Bidirectional(k.SimpleRNN(4), merge_mode="mul"),
    "an activation": lambda k: k.LSTM(4, activation="softsign"),
    "dropout": lambda k: k.Bidirectional(k.GRU(4, dropout=0.2)),
    "a layer read backwards, each step": lambda k: k.TimeDistributed(k.LSTM(4, go_backwards=True)),
    "half precision": lambda k: k.GRU(4, dtype="float16"),
    "mixed precision": lambda k: k.GRU(4, dtype="mixed_float16"),
    "one cell twice": lambda k: k.RNN([k.LSTMCell(3), *[k.LSTMCell(3)] * 2]),
}


@pytest.mark.parametrize("name", EMULATED)
def test_a_refusal_of_convert_names_emulate_where_that_works(name: str) -> None:
    layer: Any = EMULATED[name](keras.layers)
    x = X[:, None] if isinstance(layer, keras.layers.TimeDistributed) else X
    layer(x.astype("float16") if "precision" in name else x)
    with pytest.raises(gatewise.GatewiseError, match=r"gatewise\.emulate"):
        gatewise.convert(layer)
    gatewise.emulate(layer)
