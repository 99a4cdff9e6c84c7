"""Keras layers that gatewise does not support are refused by name, and left as they were."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from frameworks import adapt, convert
from frameworks.registry import describe

INPUT, HIDDEN = 5, 7


def built(layer: Any, size: int = INPUT) -> Any:
    layer.build((None, None, size))
    return layer


def lstm(k: Any, size: int = INPUT, units: int = HIDDEN, **options: Any) -> Any:
    return built(k.layers.LSTM(units, **{"return_sequences": True, **options}), size)


def two(k: Any, forward: Any, backward: Any, **options: Any) -> Any:
    return built(k.layers.Bidirectional(forward, backward_layer=backward, **options))


def custom_layer(k: Any) -> Any:
    class Doubled(k.layers.LSTM):  # type: ignore[misc]
        def call(self, *arguments: Any, **options: Any) -> Any:
            return 2 * super().call(*arguments, **options)

    return built(Doubled(HIDDEN))


def custom_loop(k: Any) -> Any:
    class Other(k.layers.GRU):  # type: ignore[misc]
        def inner_loop(self, *arguments: Any, **options: Any) -> Any:
            return super().inner_loop(*arguments, **options)

    return built(Other(HIDDEN))


def custom_call_of_an_instance(k: Any) -> Any:
    layer = lstm(k)
    layer.call = lambda sequences, **_: sequences
    return layer


def custom_built_in_cell(k: Any) -> Any:
    class Peephole(k.layers.LSTMCell):  # type: ignore[misc]
        def call(self, *arguments: Any, **options: Any) -> Any:
            return super().call(*arguments, **options)

    return built(k.layers.RNN(Peephole(HIDDEN)))


def custom_python_call(k: Any) -> Any:
    class Loud(k.layers.LSTM):  # type: ignore[misc]
        def __call__(self, *arguments: Any, **options: Any) -> Any:
            return 2 * super().__call__(*arguments, **options)

    return built(Loud(HIDDEN))


def dropout_that_always_draws(k: Any) -> list[Any]:
    class MonteCarlo(k.layers.Dropout):  # type: ignore[misc]
        def call(self, inputs: Any, training: bool = False) -> Any:  # noqa: ARG002, FBT001, FBT002
            return super().call(inputs, training=True)

    return [lstm(k), MonteCarlo(0.5), lstm(k, HIDDEN)]


def custom_cell(k: Any) -> Any:
    class Minimal(k.layers.Layer):  # type: ignore[misc]
        state_size = output_size = HIDDEN

        def call(self, inputs: Any, states: Any, training: bool = False) -> Any:  # noqa: ARG002, FBT001, FBT002
            return inputs, states

    return k.layers.RNN(Minimal())


def subclassed_model(k: Any) -> Any:
    class Model(k.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.rnn = k.layers.LSTM(HIDDEN)

        def call(self, inputs: Any) -> Any:
            return self.rnn(inputs)

    return Model()


def functional_model(k: Any, **flags: bool) -> Any:
    inputs = k.Input((None, INPUT))
    return k.Model(inputs, k.layers.LSTM(HIDDEN, **flags)(inputs))


def shuffled_model(k: Any) -> Any:
    """Make a model like those of convert, except that it returns the states in another order."""
    inputs = k.Input((None, INPUT))
    output, h, c = k.layers.LSTM(HIDDEN, return_sequences=True, return_state=True)(inputs)
    output, h_1, c_1 = k.layers.LSTM(HIDDEN, return_sequences=True, return_state=True)(output)
    return k.Model(inputs, (output, h, h_1, c, c_1))


def same_cell_twice(k: Any) -> Any:
    cell = k.layers.LSTMCell(INPUT)
    return built(k.layers.RNN([cell, cell]))


def same_layer_twice(k: Any) -> list[Any]:
    layer = lstm(k, units=INPUT)
    return [layer, layer]


REFUSED: dict[str, tuple[Callable[[Any], Any], tuple[str, ...]]] = {
    "a class": (lambda k: k.layers.LSTM, ("the class LSTM, not an instance",)),
    "Dense": (lambda k: k.layers.Dense(3), ("Dense",)),
    "ConvLSTM1D": (lambda k: k.layers.ConvLSTM1D(3, 3), ("ConvLSTM",)),
    "TimeDistributed": (lambda k: k.layers.TimeDistributed(k.layers.Dense(3)), ("TimeDistributed",)),
    "bare StackedRNNCells": (
        lambda k: k.layers.StackedRNNCells([k.layers.LSTMCell(3)]),
        ("StackedRNNCells", "keras.layers.RNN"),
    ),
    "a list of cells": (
        lambda k: [k.layers.LSTMCell(3), k.layers.LSTMCell(3)],
        ("LSTMCell", "layer 0", "keras.layers.RNN(cells)"),
    ),
    "unbuilt LSTM": (lambda k: k.layers.LSTM(HIDDEN), ("LSTMCell", "must be built", "layer.build((None, None, input_size))")),
    "unbuilt cell": (lambda k: k.layers.GRUCell(HIDDEN), ("GRUCell", "must be built")),
    "unbuilt Bidirectional": (lambda k: k.layers.Bidirectional(k.layers.GRU(HIDDEN)), ("GRUCell", "must be built")),
    "unbuilt Sequential": (lambda k: k.Sequential([k.layers.SimpleRNN(HIDDEN)]), ("SimpleRNNCell", "must be built")),
    "unbuilt second layer": (lambda k: [lstm(k), k.layers.LSTM(HIDDEN)], ("LSTMCell", "must be built")),
    "empty Sequential": (lambda k: k.Sequential(), ("has none",)),
    "Dropout alone": (lambda k: [k.layers.Dropout(0.5)], ("has none",)),
    "Sequential with Dense": (
        lambda k: k.Sequential([k.Input((None, INPUT)), k.layers.LSTM(HIDDEN), k.layers.Dense(3)]),
        ("Dense", "(model.get_layer('lstm"),
    ),
    "Sequential with Embedding": (
        lambda k: k.Sequential([k.Input((None,)), k.layers.Embedding(11, INPUT), k.layers.GRU(HIDDEN)]),
        ("Embedding", "(model.get_layer('gru"),
    ),
    "a string in the list": (lambda k: [lstm(k), "LSTM"], ("str", "layer 1")),
    "a torch module in the list": (lambda k: [lstm(k), import_module("torch").nn.LSTM(HIDDEN, HIDDEN)], ("torch", "layer 1")),
    "a tf_keras layer in the list": (lambda k: [lstm(k), lstm(import_module("tf_keras"), HIDDEN)], ("tf_keras", "layer 1")),
    "custom layer": (custom_layer, ("Doubled", "LSTM's own call")),
    "custom __call__": (custom_python_call, ("Loud", "LSTM's own __call__")),
    "custom inner_loop": (custom_loop, ("Other", "GRU's own inner_loop")),
    "custom call of an instance": (custom_call_of_an_instance, ("LSTM's own call",)),
    "custom built-in cell": (custom_built_in_cell, ("Peephole", "overrides call", "a custom cell")),
    "custom cell": (custom_cell, ("Minimal",)),
    "subclassed model": (subclassed_model, ("Model",)),
    "functional model of something else": (functional_model, ("in its own way", "(model.get_layer(")),
    "functional model without states": (lambda k: functional_model(k, return_sequences=True), ("in its own way",)),
    "functional model in another order": (shuffled_model, ("in its own way",)),
    "custom activation": (lambda k: lstm(k, activation=lambda x: x), ("activation of LSTMCell", "<lambda>")),
    "custom recurrent activation": (
        lambda k: built(k.layers.GRU(HIDDEN, recurrent_activation=k.ops.cos)),
        ("activation of GRUCell", "cos"),
    ),
    "unequal sizes": (lambda k: [lstm(k), lstm(k, HIDDEN, 8)], ("layer 1", "LSTM(8)")),
    "unequal cells": (lambda k: [lstm(k), built(k.layers.GRU(HIDDEN), HIDDEN)], ("layer 1", "GRU(7)")),
    "unequal directions": (
        lambda k: [lstm(k), built(k.layers.Bidirectional(k.layers.LSTM(HIDDEN)), HIDDEN)],
        ("layer 1", "Bidirectional"),
    ),
    "unequal input": (lambda k: [lstm(k), lstm(k, HIDDEN + 1)], ("input_size of layer 1", "8")),
    "unequal biases": (lambda k: [lstm(k), lstm(k, HIDDEN, use_bias=False)], ("bias of layer 1", "False")),
    "unequal activations": (lambda k: [lstm(k), lstm(k, HIDDEN, activation="relu")], ("activation of layer 1", "'relu'")),
    "unequal dtypes": (lambda k: [lstm(k), lstm(k, HIDDEN, dtype="float64")], ("dtype of layer 1", "'float64'")),
    "unequal GRUs": (
        lambda k: [
            built(k.layers.GRU(HIDDEN, return_sequences=True)),
            built(k.layers.GRU(HIDDEN, reset_after=False), HIDDEN),
        ],
        ("reset_after of layer 1", "False"),
    ),
    "unequal stacked cells": (lambda k: built(k.layers.RNN([k.layers.LSTMCell(7), k.layers.LSTMCell(8)])), ("cell 1",)),
    "stacked cells of two kinds": (lambda k: built(k.layers.RNN([k.layers.LSTMCell(7), k.layers.GRUCell(7)])), ("cell 1",)),
    "the same cell twice": (same_cell_twice, ("LSTMCell", "twice")),
    "the same layer twice": (same_layer_twice, ("LSTMCell", "twice")),
    "last output between layers": (
        lambda k: [lstm(k, return_sequences=False), lstm(k, HIDDEN)],
        ("layer 0", "return_sequences=False"),
    ),
    "go_backwards below": (lambda k: [lstm(k, go_backwards=True), lstm(k, HIDDEN)], ("layer 0", "go_backwards=True")),
    "go_backwards above": (lambda k: [lstm(k), lstm(k, HIDDEN, go_backwards=True)], ("layer 1", "go_backwards=True")),
    "go_backwards in a Sequential": (
        lambda k: k.Sequential(
            [
                k.Input((None, INPUT)),
                k.layers.GRU(HIDDEN, go_backwards=True, return_sequences=True),
                k.layers.GRU(HIDDEN, go_backwards=True),
            ]
        ),
        ("layer 0", "go_backwards=True"),
    ),
    "sum between layers": (
        lambda k: [
            built(k.layers.Bidirectional(k.layers.GRU(HIDDEN, return_sequences=True), merge_mode="sum")),
            built(k.layers.Bidirectional(k.layers.GRU(HIDDEN)), HIDDEN),
        ],
        ("layer 0", "merge_mode='sum'"),
    ),
    "dropout before the stack": (lambda k: [k.layers.Dropout(0.5), lstm(k)], ("Dropout", "LSTM(7)")),
    "dropout after the stack": (lambda k: [lstm(k), k.layers.Dropout(0.5)], ("Dropout", "LSTM(7)")),
    "dropout in some places": (
        lambda k: [lstm(k), k.layers.Dropout(0.5), lstm(k, HIDDEN), lstm(k, HIDDEN)],
        ("Dropout", "LSTM(7), Dropout, LSTM(7), LSTM(7)"),
    ),
    "dropout at two rates": (
        lambda k: [lstm(k), k.layers.Dropout(0.5), lstm(k, HIDDEN), k.layers.Dropout(0.25), lstm(k, HIDDEN)],
        ("Dropout", "one rate"),
    ),
    "dropout fixed in time": (
        lambda k: [lstm(k), k.layers.Dropout(0.5, noise_shape=(None, 1, None)), lstm(k, HIDDEN)],
        ("Dropout", "noise_shape"),
    ),
    "dropout that rounds": (
        lambda k: k.Sequential(
            [
                k.Input((None, INPUT), dtype="float64"),
                k.layers.GRU(HIDDEN, return_sequences=True, dtype="float64"),
                k.layers.Dropout(0.5),
                k.layers.GRU(HIDDEN, dtype="float64"),
            ]
        ),
        ("Dropout", "float32", "float64"),
    ),
    "dropout of whole features": (
        lambda k: [lstm(k), k.layers.SpatialDropout1D(0.5), lstm(k, HIDDEN)],
        ("SpatialDropout1D", "Dropout's own"),
    ),
    "dropout that always draws": (dropout_that_always_draws, ("MonteCarlo", "Dropout's own call")),
    "directions of two kinds": (
        lambda k: two(k, k.layers.LSTM(HIDDEN), k.layers.GRU(HIDDEN, go_backwards=True)),
        ("Bidirectional", "LSTM(7) and GRU(7)"),
    ),
    "directions of two sizes": (
        lambda k: two(k, k.layers.LSTM(HIDDEN), k.layers.LSTM(8, go_backwards=True)),
        ("Bidirectional", "LSTM(7) and LSTM(8)"),
    ),
    "directions of two activations": (
        lambda k: two(k, k.layers.GRU(HIDDEN), k.layers.GRU(HIDDEN, activation="relu", go_backwards=True)),
        ("activation of layer 0, direction 1", "'relu'"),
    ),
    "directions with one bias": (
        lambda k: two(k, k.layers.GRU(HIDDEN), k.layers.GRU(HIDDEN, use_bias=False, go_backwards=True)),
        ("bias of layer 0, direction 1", "False"),
    ),
    "stacked cells in a stack": (
        lambda k: [lstm(k), built(k.layers.RNN([k.layers.LSTMCell(HIDDEN), k.layers.LSTMCell(HIDDEN)]), HIDDEN)],
        ("layer 1", "one cell", "2 in a list"),
    ),
    "no cells": (lambda k: k.layers.RNN([]), ("RNN", "runs none")),
    "directions that nest their states differently": (
        lambda k: two(k, k.layers.LSTM(HIDDEN), k.layers.RNN([k.layers.LSTMCell(HIDDEN)], go_backwards=True)),
        ("Bidirectional", "LSTM(7) and RNN"),
    ),
    "Bidirectional over stacked cells": (
        lambda k: built(k.layers.Bidirectional(k.layers.RNN([k.layers.GRUCell(HIDDEN), k.layers.GRUCell(HIDDEN)]))),
        ("Bidirectional over stacked cells", "2"),
    ),
    "mixed precision": (lambda k: lstm(k, dtype="mixed_float16"), ("LSTM", "float16")),
    "mixed bfloat16": (lambda k: lstm(k, dtype="mixed_bfloat16"), ("LSTM", "bfloat16")),
    "float16": (
        lambda k: lstm(k, dtype="float16", recurrent_initializer="zeros"),
        ("LSTM", "has float16", "set_weights"),
    ),
    "wrapper of another dtype than its layer": (
        lambda k: built(k.layers.Bidirectional(k.layers.LSTM(HIDDEN, dtype="float64"))),
        ("Bidirectional", "float32", "float64"),
    ),
    "RNN of another dtype than its cell": (
        lambda k: built(k.layers.RNN(k.layers.GRUCell(HIDDEN, dtype="float64"))),
        ("RNN", "float32", "float64"),
    ),
    "stacked cells of another dtype than their list": (
        lambda k: built(k.layers.RNN([k.layers.GRUCell(HIDDEN, dtype="float64") for _ in range(2)], dtype="float64")),
        ("StackedRNNCells", "float32", "float64"),
    ),
    "RNN of another dtype in a Bidirectional": (
        lambda k: built(k.layers.Bidirectional(k.layers.RNN(k.layers.GRUCell(HIDDEN, dtype="float64")), dtype="float64")),
        ("RNN", "float32", "float64"),
    ),
}


@pytest.mark.backend
@pytest.mark.filterwarnings("ignore")  # Keras's own, about what these layers are
@pytest.mark.parametrize("name", REFUSED)
def test_an_unsupported_layer_is_refused_by_name(name: str, refused: Callable[..., Any]) -> None:
    make, said = REFUSED[name]
    native = make(import_module("keras"))
    with refused(*said):
        adapt(native)
    with refused(*said):
        convert(native, to="pytorch")


KERAS2 = (
    "unbuilt LSTM",
    "custom layer",
    "custom __call__",
    "custom cell",
    "unequal sizes",
    "go_backwards below",
    "dropout of whole features",
    "mixed precision",
    "Dense",
)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", KERAS2)
def test_an_unsupported_keras_2_layer_is_refused_likewise(name: str, refused: Callable[..., Any]) -> None:
    make, said = REFUSED[name]
    native = make(import_module("tf_keras"))
    with refused(*said):
        adapt(native)


def test_a_keras_2_layer_with_time_first_is_refused(refused: Callable[..., Any]) -> None:
    layer = built(import_module("tf_keras").layers.LSTM(HIDDEN, time_major=True))
    with refused("time_major=True", "time_major=False"):
        adapt(layer)


@pytest.mark.filterwarnings("ignore")
def test_keras_2_s_reversed_states_are_refused(refused: Callable[..., Any]) -> None:
    k: Any = import_module("tf_keras").layers
    cells = [k.LSTMCell(HIDDEN), k.LSTMCell(HIDDEN)]
    with refused("StackedRNNCells", "reverse_state_order=True"):
        describe(k.RNN(k.StackedRNNCells(cells, reverse_state_order=True)))
    assert describe(k.RNN(k.StackedRNNCells(cells)))[0].num_layers == 2


@pytest.mark.backend
def test_an_unbuilt_layer_is_described_too() -> None:
    keras = import_module("keras")
    layer = keras.layers.Bidirectional(keras.layers.LSTM(HIDDEN, return_state=True), merge_mode="mul")
    stack, options = describe(layer)
    assert (stack.cell, stack.hidden_size, stack.num_layers, stack.bidirectional) == ("lstm", HIDDEN, 1, True)
    assert (options.return_sequences, options.return_state, options.merge_mode) == (False, True, "mul")
    assert not layer.built
    layer.build((None, None, INPUT))
    assert describe(layer) == describe(adapt(layer)) == (stack, options)


def test_only_keras_s_layers_are_described(refused: Callable[..., Any]) -> None:
    with refused("LSTM", "Keras"):
        describe(import_module("torch").nn.LSTM(INPUT, HIDDEN))


@pytest.mark.backend
def test_a_stateful_layer_accepts_only_its_own_batch_size(refused: Callable[..., Any]) -> None:
    keras = import_module("keras")
    layer = keras.layers.GRU(HIDDEN, stateful=True)
    layer.build((6, None, INPUT))
    adapter = adapt(layer)
    assert adapter.batch_size == 6
    with refused("6", "4"):
        adapter.call(np.ones((4, 3, INPUT), "float32"))  # type: ignore[attr-defined]


@pytest.mark.backend
def test_a_cell_has_no_call_over_time(refused: Callable[..., Any]) -> None:
    keras = import_module("keras")
    cell = keras.layers.GRUCell(HIDDEN)
    cell.build((None, INPUT))
    with refused("GRUCell", "keras.layers.RNN(cell)"):
        adapt(cell).call(np.ones((4, 3, INPUT), "float32"))  # type: ignore[attr-defined]


@pytest.mark.backend
def test_subclasses_that_change_what_is_computed_are_refused_wherever_they_occur(refused: Callable[..., Any]) -> None:
    k: Any = import_module("keras")

    class Shifted(k.layers.StackedRNNCells):  # type: ignore[misc]
        def call(self, *args: Any, **options: Any) -> Any:
            output, states = super().call(*args, **options)
            return output + 1.0, states

    class Doubled(k.Sequential):  # type: ignore[misc]
        def call(self, inputs: Any, **options: Any) -> Any:
            return super().call(inputs, **options) * 2

    class Ones(k.layers.LSTM):  # type: ignore[misc]
        def get_initial_state(self, batch_size: int) -> Any:
            return [state + 1 for state in super().get_initial_state(batch_size)]

    stacked = built(k.layers.RNN(Shifted([k.layers.GRUCell(HIDDEN), k.layers.GRUCell(HIDDEN)])))
    for layer in (stacked, built(Doubled([k.layers.LSTM(HIDDEN)])), built(Ones(HIDDEN))):
        with refused("overrides"):
            adapt(layer)


@pytest.mark.backend
def test_a_wrapper_that_is_not_built_is_refused_and_stays_unbuilt(refused: Callable[..., Any]) -> None:
    k: Any = import_module("keras")
    sequential = k.Sequential([lstm(k), lstm(k, HIDDEN)])
    with refused("Sequential", "built", "build("):
        adapt(sequential)
    assert not sequential.built
    runner = k.layers.RNN(lstm(k).cell)
    with refused("RNN", "built"):
        adapt(runner)
    assert not runner.built


@pytest.mark.backend
def test_a_model_input_that_would_round_the_data_is_refused(refused: Callable[..., Any]) -> None:
    k: Any = import_module("keras")
    rounding = k.Sequential([k.Input((None, INPUT), dtype="float32"), k.layers.LSTM(HIDDEN, dtype="float64")])
    with refused("Sequential", "float64", "float32"):
        adapt(rounding)
    exact = k.Sequential([k.Input((None, INPUT), dtype="float64"), k.layers.LSTM(HIDDEN, dtype="float64")])
    assert adapt(exact).spec.dtype == "float64"


def test_a_half_precision_layer_is_compared_once_it_is_rebuilt_in_float32(refused: Callable[..., Any]) -> None:
    keras = import_module("keras")
    half = lstm(keras, dtype="float16", recurrent_initializer="zeros")
    with refused("build the layer in float32", "set_weights"):
        adapt(half)
    whole = lstm(keras)
    whole.set_weights(half.get_weights())
    kernel = adapt(whole).get_weights().layers[0][0].kernel  # (gate, input, hidden)
    expected = np.asarray(half.cell.kernel, dtype="float32").reshape(INPUT, 4, HIDDEN)
    np.testing.assert_array_equal(kernel, expected.transpose(1, 0, 2))
