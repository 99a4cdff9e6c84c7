"""Remedies for layers, stacks and models of Keras and PyTorch that one port cannot represent."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

import keras
import numpy as np
import torch
from torch import nn

import gatewise
from gatewise import adapt, assert_parity, check_parity, convert, copy_weights, emulate, returns_map
from tests.remedies.arrays import LAYERS, X, array, close, drawn, filled, lstm, tensor
from tests.remedies.following import case, refuses

EMULATE = "Use gatewise.emulate, which runs it as Keras does"
WHOLE = "Use gatewise.port_model(model), which ports it whole."
ONE_BY_ONE = f"{EMULATE}, or adapt and convert its layers, or its cells, one at a time."
BY_HAND = "Write its call in torch, run it over the time steps in a loop, and compare the results with those of *"
WITH_ONE = "Pass a recurrent layer, or a model that has one."


def sequential(*layers: Any, inputs: Any = X, **options: Any) -> Any:
    """Return a filled Sequential."""
    return filled(keras.Sequential([keras.Input(inputs.shape[1:], **options), *layers]), inputs)


def run(message: str, call: str, **variables: Any) -> list[Any]:
    """Run the lines of code that a message prints, and return their results."""
    lines = [line for line in message.splitlines() if line.startswith(f"gatewise.{call}(")]
    assert lines
    return [eval(line, {"gatewise": gatewise, **variables}) for line in lines]


def message_of(action: Any) -> str:
    """Return the message of the error that an action raises."""
    try:
        action()
    except gatewise.GatewiseError as error:
        return str(error)
    raise AssertionError("it raises nothing")


@case
def a_layer_between_the_recurrent_ones() -> None:
    between = {
        "BatchNormalization": LAYERS.BatchNormalization(),
        "Dense": LAYERS.Dense(4),
        "Conv1D": LAYERS.Conv1D(4, 2),
        "TimeDistributed": LAYERS.TimeDistributed(LAYERS.Dense(4)),
    }
    for kind, layer in between.items():
        model = sequential(LAYERS.LSTM(4, return_sequences=True), layer, LAYERS.LSTM(4, return_sequences=True))
        with refuses(
            f"{WHOLE} Or convert its recurrent layers alone:\ngatewise.convert(*)\n*\nKeep what is between them in your own *"
        ):
            convert(model)
        close(gatewise.port_model(model)(tensor()), model(X))
        message = message_of(lambda model=model: convert(model))
        assert f"{kind} {layer.name!r}" in message
        first, second = run(message, "convert", model=model)
        middle = array(layer(first(tensor())[0].detach().numpy()))  # what is between them stays
        close(second(tensor(middle))[0], model(X))
        assert abs(array(second(first(tensor())[0])[0][:, :2]) - array(model(X))[:, :2]).max() > 1e-3  # and is needed


@case
def whole_models_in_pairs() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(4, 2)
            self.blocks = nn.ModuleList([nn.LSTM(3, 4, batch_first=True), nn.BatchNorm1d(4), nn.GRU(4, 4, batch_first=True)])

    for wanted in ("copy_weights", "assert_parity", "check_parity"):
        lstm_first = (LAYERS.LSTM(4, return_sequences=True), LAYERS.BatchNormalization(), LAYERS.GRU(4, return_sequences=True))
        model, net = sequential(*lstm_first, LAYERS.Dense(2)), Net()
        call: Any = getattr(gatewise, wanted)
        with refuses("Pass the recurrent layers pair by pair:\n*\nHere model and net are the two arguments."):
            call(model, net)
        run(message_of(lambda model=model, net=net: copy_weights(model, net)), "copy_weights", model=model, net=net)
        results = run(message_of(lambda call=call, model=model, net=net: call(model, net)), wanted, model=model, net=net)
        assert len(results) == 2
        assert wanted != "check_parity" or all(results)
        close(net.blocks[0](tensor())[0], model.layers[0](X))
        # in the other direction, with the names that the message gives
        run(message_of(lambda model=model, net=net: copy_weights(net, model)), "copy_weights", model=model, net=net)


@case
def two_keras_layers_are_one_torch_module() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.out = nn.LSTM(3, 4, 2, batch_first=True), nn.Linear(4, 2)

    layers = (LAYERS.LSTM(4, return_sequences=True), LAYERS.Dropout(0.1), LAYERS.LSTM(4, return_sequences=True))
    model, net = sequential(*layers, LAYERS.Dense(2)), Net()
    run(message_of(lambda: copy_weights(model, net)), "copy_weights", model=model, net=net)
    close(net.rnn(tensor())[0], model.layers[2](model.layers[0](X)))
    unbuilt = keras.Sequential([LAYERS.LSTM(4), LAYERS.Dense(2)])
    with refuses("First call model on data, because not all layers are built. Then pass them pair by pair:\n*"):
        copy_weights(unbuilt, nn.LSTM(3, 4))
    filled(unbuilt)
    single = nn.LSTM(3, 4, batch_first=True)
    run(message_of(lambda: copy_weights(unbuilt, single)), "copy_weights", model=unbuilt, net=single)
    assert_parity(unbuilt.layers[0], single)
    with refuses("Pass recurrent layers of the same sizes; no two have them.\n*"):
        copy_weights(model, nn.Sequential(nn.LSTM(7, 4)))
    twice, again = (
        sequential(*(LAYERS.GRU(3, return_sequences=True, name=f"{end}{at}") for at in range(2)), LAYERS.Dense(2))
        for end in "ab"
    )
    with refuses("Pass the recurrent layers pair by pair:\n*equal sizes*check that they are partners."):
        copy_weights(twice, again)


@case
def whole_models_one_by_one() -> None:
    class Block(LAYERS.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.rnns = [LAYERS.GRU(4, go_backwards=True), LAYERS.Bidirectional(LAYERS.LSTM(3))]

        def call(self, x: Any) -> Any:
            return keras.ops.concatenate([rnn(x) for rnn in self.rnns], axis=-1)

    class Model(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.block, self.out = Block(), LAYERS.Dense(2)

        def call(self, x: Any) -> Any:
            return self.out(self.block(x))

    model = filled(Model())
    backwards, both = (
        run(message_of(lambda call=call: call(model)), name, model=model)
        for call, name in ((convert, "emulate"), (convert, "convert"))
    )
    close(backwards[0](tensor()), model.block.rnns[0](X))
    assert_parity(model.block.rnns[1], both[0])
    with refuses("Emulate its recurrent layers one at a time:\n*"):
        emulate(model)
    with refuses("Pass its recurrent layers one at a time:\ngatewise.adapt(*"):
        adapt(model)
    with refuses("Pass its recurrent layers one at a time:\ngatewise.returns_map(*"):
        returns_map(model)
    run(message_of(lambda: returns_map(model)), "returns_map", model=model)
    with refuses(
        "First call it on data, because its layers are not all built. Then convert its recurrent layers one at a time:\n*"
    ):
        convert(Model())
    net = nn.Sequential(nn.Linear(3, 3), nn.ModuleDict({"a rnn": nn.LSTM(3, 4)}), nn.GRU(3, 4, batch_first=True))
    ported = run(message_of(lambda: convert(net, to="keras")), "convert", net=net)
    assert_parity(net[2], ported[1])
    inner = keras.Input(X.shape[1:])
    alone = filled(keras.Model(inner, LAYERS.LSTM(4)(inner)))
    with refuses(f"{WHOLE} Or convert its recurrent layers alone:\n*"):
        convert(alone)
    close(gatewise.port_model(alone)(tensor()), alone(X))
    with refuses("Convert its recurrent layers one at a time:\n*"):
        convert(model)
    listed = [lstm(return_sequences=True), LAYERS.Dense(4), LAYERS.LSTM(4)]
    with refuses("*hen emulate its recurrent layers one at a time:\n*"):
        emulate(listed)


@case
def a_model_that_emulate_takes_whole() -> None:
    ids = np.array([[1, 2, 3, 0, 0], [4, 5, 6, 7, 0]], "int32")
    model = sequential(LAYERS.Embedding(9, 3, mask_zero=True), LAYERS.LSTM(4), inputs=ids, dtype="int32")
    with refuses("Use gatewise.emulate(model), which ports it whole. Or convert its recurrent layers alone:\n*"):
        convert(model)
    (module,) = [eval("gatewise.emulate(model)", {"gatewise": gatewise, "model": model})]
    close(module(tensor(ids)), model(ids))


@case
def no_recurrent_layer() -> None:
    for action in (adapt, emulate):
        with refuses(WITH_ONE):
            action(sequential(LAYERS.Dense(3)))
    with refuses(WITH_ONE):
        adapt(LAYERS.TimeDistributed(LAYERS.Dense(3)))
    inner = keras.Input(X.shape[1:])
    with refuses(WITH_ONE):
        adapt(keras.Model(inner, LAYERS.Dense(2)(inner)))
    with refuses("Pass a recurrent layer, or a cell of one."):
        convert(LAYERS.Dense(3))
    with refuses("Pass the recurrent module, such as net.rnn."):
        convert(nn.Linear(3, 4), to="keras")
    assert_parity(lstm(), convert(lstm()))


@case
def a_list_of_cells_or_of_two_libraries() -> None:
    cells = [LAYERS.LSTMCell(4), LAYERS.LSTMCell(4)]
    with refuses("Build all layers with one library, and wrap cells as keras.layers.RNN(cells)."):
        convert(cells)
    layer = filled(LAYERS.RNN(cells, return_sequences=True))
    close(convert(layer)(tensor())[0], layer(X))


@case
def bidirectional_over_stacked_cells() -> None:
    layer = filled(LAYERS.Bidirectional(LAYERS.RNN([LAYERS.LSTMCell(4), LAYERS.LSTMCell(4)], return_sequences=True)))
    with refuses(
        f"{EMULATE}, or copy the weights of layer.forward_layer and layer.backward_layer into one torch module each with "
        "copy_weights, and call the two as gatewise.returns_map(layer).call says."
    ):
        convert(layer)
    close(emulate(layer)(tensor()), layer(X))
    forward_rnn, backward_rnn = (nn.LSTM(3, 4, 2, batch_first=True) for _ in range(2))
    copy_weights(layer.forward_layer, forward_rnn)
    copy_weights(layer.backward_layer, backward_rnn)
    scope = {"x": tensor(), "forward_rnn": forward_rnn, "backward_rnn": backward_rnn, "torch": torch}
    exec(returns_map(layer).call, scope)
    close(scope["output"], layer(X))


@case
def layers_that_are_no_torch_stack() -> None:
    unlike = {
        "cells": filled(LAYERS.RNN([LAYERS.LSTMCell(4), LAYERS.GRUCell(5)])),
        "layers": sequential(LAYERS.LSTM(4, return_sequences=True), LAYERS.LSTM(5)),
        "activations": sequential(LAYERS.LSTM(4, return_sequences=True), LAYERS.LSTM(4, activation="relu")),
        "reading backwards": sequential(LAYERS.LSTM(4, return_sequences=True, go_backwards=True), LAYERS.LSTM(4)),
        "a list in a list": sequential(LAYERS.RNN([LAYERS.LSTMCell(4)], return_sequences=True), LAYERS.LSTM(4)),
    }
    for layer in unlike.values():
        with refuses(f"No one torch module * such a stack. {ONE_BY_ONE}"):
            convert(layer)
        close(emulate(layer)(tensor()), layer(X))
    first, second = unlike["layers"].layers
    close(convert(second)(convert(first)(tensor())[0])[1][0][0], unlike["layers"](X))
    assert_parity(unlike["cells"].cell.cells[0], convert(unlike["cells"].cell.cells[0]))


@case
def two_unlike_directions() -> None:
    layer = filled(LAYERS.Bidirectional(LAYERS.LSTM(4), backward_layer=LAYERS.GRU(5, go_backwards=True)))
    with refuses(f"{EMULATE}, or copy and compare one direction at a time: layer.forward_layer and layer.backward_layer."):
        convert(layer)
    close(emulate(layer)(tensor()), layer(X))
    module = nn.GRU(3, 5, batch_first=True)
    copy_weights(layer.backward_layer, module)
    assert_parity(layer.backward_layer, module)


@case
def dropout_in_a_stack() -> None:
    kinds = LAYERS
    model = sequential(kinds.LSTM(4, return_sequences=True), kinds.Dropout(0.1), kinds.LSTM(4), kinds.Dropout(0.2))
    with refuses(f"{EMULATE}, or pass the recurrent layers one at a time and call nn.Dropout between them."):
        convert(model)
    close(emulate(model)(tensor()), model(X))
    first, between, second = convert(model.layers[0]), nn.Dropout(0.1).eval(), convert(model.layers[2])
    close(second(between(first(tensor())[0]))[0][:, -1], model(X))
    shaped = sequential(kinds.LSTM(4, return_sequences=True), kinds.Dropout(0.1, noise_shape=(None, 1, 4)), kinds.LSTM(4))
    with refuses("Pass the recurrent layers one at a time, and write the Dropout between them in torch: with noise_shape, *"):
        convert(shaped)
    with refuses("Write it in torch as your own module."):
        emulate(shaped)
    kept = torch.nn.functional.dropout(torch.ones(2, 1, 4), 0.1, training=True)  # one mask for all time steps
    sequence = convert(shaped.layers[0])(tensor())[0]
    assert all(torch.equal((sequence * kept)[:, step] == 0, kept[:, 0] == 0) for step in range(5))


@case
def a_custom_cell() -> None:
    ops = keras.ops

    class Normalised(LAYERS.LSTMCell):  # type: ignore[misc]
        def build(self, shape: Any) -> None:
            super().build(shape)
            self.norm = LAYERS.LayerNormalization()
            self.norm.build((None, 4 * self.units))

        def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
            h, c = states
            gates = self.norm(ops.matmul(inputs, self.kernel) + ops.matmul(h, self.recurrent_kernel) + self.bias)
            i, f, g, o = ops.split(gates, 4, 1)
            c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
            h = ops.sigmoid(o) * ops.tanh(c)
            return h, [h, c]

    class Minimal(LAYERS.Layer):  # type: ignore[misc]
        state_size, units = 4, 4

        def build(self, shape: Any) -> None:
            self.kernel = self.add_weight(shape=(shape[-1], 4), name="kernel")

        def call(self, inputs: Any, states: Any) -> Any:
            h = ops.tanh(inputs @ self.kernel + 0.5 * states[0])
            return h, [h]

    layer, minimal = filled(LAYERS.RNN(Normalised(4), return_sequences=True)), filled(LAYERS.RNN(Minimal()))
    for each in (layer, minimal, LAYERS.TimeDistributed(minimal)):
        for action in (convert, emulate):
            with refuses(f"{BY_HAND}, with numpy.testing.assert_allclose."):
                action(each)
    kernel, recurrent, bias, gamma, beta = map(tensor, layer.get_weights())
    h, c, outputs = torch.zeros(2, 4), torch.zeros(2, 4), []
    for x in tensor().unbind(1):
        normalised = nn.functional.layer_norm(x @ kernel + h @ recurrent + bias, (16,), gamma, beta, layer.cell.norm.epsilon)
        i, f, g, o = normalised.chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        outputs.append(h)
    np.testing.assert_allclose(torch.stack(outputs, 1), layer(X), atol=1e-5)
    h = torch.zeros(2, 4)
    for x in tensor().unbind(1):
        h = torch.tanh(x @ tensor(minimal.get_weights()[0]) + 0.5 * h)
    np.testing.assert_allclose(h, minimal(X), atol=1e-5)


@case
def a_convolution() -> None:
    images = drawn(2, 5, 8, 7, 2)
    layer = filled(LAYERS.ConvLSTM2D(3, 3), images)
    for action in (convert, emulate, adapt, returns_map):
        with refuses(
            "Write its step in torch with two torch.nn.functional.conv2d: *the kernels permuted to (3, 2, 0, 1), * Compare *"
        ):
            action(layer)
    kernel, recurrent, bias = map(tensor, layer.get_weights())
    kernel, recurrent = kernel.permute(3, 2, 0, 1), recurrent.permute(3, 2, 0, 1)
    h = c = torch.zeros(2, 3, 6, 5)
    for x in tensor(images).permute(0, 1, 4, 2, 3).unbind(1):
        gates = nn.functional.conv2d(x, kernel, bias) + nn.functional.conv2d(h, recurrent, padding="same")
        i, f, g, o = gates.chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
    np.testing.assert_allclose(h.permute(0, 2, 3, 1), layer(images), atol=1e-5)


@case
def a_layer_with_a_call_of_its_own() -> None:
    class Doubled(LAYERS.LSTM):  # type: ignore[misc]
        def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
            return super().call(2 * sequences, initial_state, mask, training)

    class Reverse(nn.LSTM):
        def forward(self, x: Any) -> Any:  # type: ignore[override]
            return super().forward(x.flip(1))

    layer = filled(Doubled(4))
    for action in (convert, emulate):
        with refuses(
            "Make a plain LSTM of its get_config() and get_weights(), pass that, and write in torch what its own code adds."
        ):
            action(layer)
    plain = LAYERS.LSTM.from_config(layer.get_config())
    plain(X)
    plain.set_weights(layer.get_weights())
    close(convert(plain)(2 * tensor())[0][:, -1], layer(X))
    module = Reverse(3, 4, batch_first=True)
    with refuses("Pass a plain nn.LSTM with its state_dict, and write in the other framework what its own code adds."):
        convert(module, to="keras")
    again = nn.LSTM(3, 4, batch_first=True)
    again.load_state_dict(module.state_dict())
    close(convert(again, to="keras")(X[:, ::-1])[0], module(tensor())[0])


@case
def time_distributed() -> None:
    x = drawn(2, 3, 5, 3)
    for inner in (LAYERS.LSTM(4, go_backwards=True), LAYERS.Bidirectional(LAYERS.GRU(4, return_sequences=True))):
        layer = filled(LAYERS.TimeDistributed(inner), x)
        with refuses(
            "Use gatewise.returns_map(layer.layer): in torch, call the module on x.flatten(0, 1), and give every result its "
            "outer time steps back with .unflatten(0, x.shape[:2])."
        ):
            returns_map(layer)
        mapping = returns_map(layer.layer)
        rnn = (
            nn.LSTM(3, 4, batch_first=True)
            if isinstance(inner, LAYERS.LSTM)
            else nn.GRU(3, 4, batch_first=True, bidirectional=True)
        )
        copy_weights(layer, rnn)
        outer = tensor(x)
        returned = mapping.to_keras(*eval(mapping.call, {"rnn": rnn, "x": outer.flatten(0, 1), "torch": torch}))
        close(returned.unflatten(0, outer.shape[:2]), layer(x))
        module = emulate(layer)
        with refuses("Use gatewise.returns_map(module.layer), whose results have no outer time axis."):
            returns_map(module)
        assert returns_map(module.layer).call == mapping.call
    with refuses("Make it with return_state=False and, if it is bidirectional, a merge_mode."):
        emulate(LAYERS.TimeDistributed(lstm(return_state=True)))
    plain = LAYERS.TimeDistributed(lstm())
    plain(x)
    close(emulate(plain)(tensor(x)), plain(x))


@case
def layers_that_are_not_built() -> None:
    layer, text = LAYERS.LSTM(4), "Call the layer once on data, or layer.build((None, None, input_size))."
    for action in (convert, emulate):
        with refuses(text):
            action(layer)
    layer.build((None, None, 3))
    assert_parity(layer, convert(layer))
    embedding = keras.Sequential([LAYERS.Embedding(9, 3), LAYERS.LSTM(4)])
    with refuses("Call it once on data."):
        emulate(embedding)
    ids = np.array([[1, 2, 3]])
    close(emulate(filled(embedding, ids))(tensor(ids)), embedding(ids))
    inner = LAYERS.LSTM(4)
    inner.cell.build((None, 3))
    with refuses("Call it once on data, or .build((None, None, input_size)); layers may also be passed as a list."):
        convert(inner)
    inner(X)
    assert_parity(inner, convert(inner))


@case
def shared_cells() -> None:
    shared = LAYERS.LSTM(3, return_sequences=True)
    model = sequential(shared, shared)
    with refuses("Use gatewise.emulate, which shares the weights as Keras does, or one cell for each layer and direction."):
        convert(model)
    module = emulate(model)
    close(module(tensor()), model(X))
    assert len(list(module.parameters())) == 4
    close(convert([lstm(return_sequences=True), filled(LAYERS.LSTM(4), drawn(2, 5, 4))])(tensor())[1][0].shape, (2, 2, 4))


@case
def other_dtypes() -> None:
    half = X.astype("float16")
    layer = filled(LAYERS.LSTM(4, dtype="float16"), half)
    with refuses(
        "Half precision is not compared. Use gatewise.emulate, which computes in it *, or build the layer in float32 *"
    ):
        convert(layer)
    close(emulate(layer)(tensor(half)), layer(half), 2e-3)
    single = LAYERS.LSTM(4)
    single(X)
    single.set_weights([weight.astype("float32") for weight in layer.get_weights()])
    close(convert(single)(tensor())[0][:, -1].half(), layer(half), 2e-3)
    mixed = filled(LAYERS.LSTM(4, dtype="mixed_float16"), half)
    with refuses("Use gatewise.emulate, which computes as Keras does, or build it with dtype='float32'."):
        convert(mixed)
    close(emulate(mixed)(tensor(half)), mixed(half), 2e-3)
    double = X.astype("float64")
    wrapped = filled(LAYERS.Bidirectional(LAYERS.LSTM(4, dtype="float64")), double)
    with refuses("Pass dtype='float64' to it and to the inner layer."):
        convert(wrapped)
    with refuses("Pass the inner layer's dtype to all wrappers and the other layers: Keras's default is float32."):
        emulate(wrapped)
    right = filled(LAYERS.Bidirectional(LAYERS.LSTM(4, dtype="float64"), dtype="float64"), double)
    assert_parity(right, convert(right))
    close(emulate(right)(tensor(double)), right(double), 1e-12)
    rounded = sequential(LAYERS.LSTM(4, dtype="float64"))
    with refuses("Begin it with keras.Input((None, input_size), dtype='float64'), or pass its layers as a list."):
        convert(rounded)
    with refuses("Begin it with a keras.Input of that dtype, or pass its layers as a list."):
        emulate(rounded)
    begun = keras.Sequential([keras.Input((None, 3), dtype="float64"), LAYERS.LSTM(4, dtype="float64")])
    for each in (begun, rounded.layers):
        assert_parity(each, convert(each))
        emulate(each)


@case
def a_call_with_the_wrong_batch_or_states() -> None:
    stateful = filled(LAYERS.LSTM(4, stateful=True))
    side = adapt(stateful)
    with refuses("Pass as many rows as it was built for."):
        side.call(drawn(3, 5, 3))  # type: ignore[attr-defined]
    close(side.call(X), lstm()(X))  # type: ignore[attr-defined]


@case
def call_options_without_a_counterpart() -> None:
    options = {"go_backwards": True, "stateful": True, "dropout": 0.3, "recurrent_dropout": 0.3}
    with_code = "copy the weights into a torch module with copy_weights"
    says = "call it as gatewise.returns_map(layer).call says"
    remedies = {
        "go_backwards": f"Use gatewise.emulate, which does the same, or {with_code} and {says}.",
        "stateful": f"Use gatewise.emulate, which does the same, or {with_code}, {says}, and pass on the states.",
        "dropout": "Use gatewise.emulate, which does the same, or set it to 0 in its cells for inference.",
        "recurrent_dropout": "Use gatewise.emulate, which does the same, or set it to 0 in its cells for inference.",
    }
    for name, value in options.items():
        layer = lstm(**{name: value})
        with refuses(remedies[name]):
            convert(layer)
        stateful = name == "stateful"
        if stateful:
            layer.reset_state()
        module = emulate(layer)
        expected = [array(layer(X)) for _ in range(2)]
        for wanted in expected:
            close(module(tensor()), wanted)
        if "dropout" in name:
            layer.cell.dropout = layer.cell.recurrent_dropout = 0.0
            close(convert(layer)(tensor())[0][:, -1], layer(X))
        else:
            rnn = nn.LSTM(3, 4, batch_first=True)
            copy_weights(layer, rnn)
            mapping = returns_map(layer)
            states = None
            for wanted in expected:
                result = eval(
                    mapping.call, {"rnn": (lambda x, states=states, rnn=rnn: rnn(x, states)), "x": tensor(), "states": states}
                )
                close(mapping.to_keras(*result), wanted)
                states = result[1] if stateful else None
    layer = filled(LAYERS.Bidirectional(LAYERS.LSTM(4), merge_mode="ave"))
    with refuses(
        f"Use gatewise.emulate, which does the same, or {with_code}, {says}, and join its results with .to_keras of that map."
    ):
        convert(layer)
    both = nn.LSTM(3, 4, batch_first=True, bidirectional=True)
    copy_weights(layer, both)
    close(returns_map(layer).to_keras(*both(tensor())), layer(X))
    close(emulate(layer)(tensor()), layer(X))


@case
def activations_without_a_counterpart() -> None:
    for layer in (
        lstm(activation="relu"),
        lstm(recurrent_activation="hard_sigmoid"),
        filled(LAYERS.SimpleRNN(4, activation="sigmoid")),
        filled(LAYERS.GRU(4, reset_after=False)),
    ):
        with refuses("Use gatewise.emulate, which computes it in torch*"):
            convert(layer)
        close(emulate(layer)(tensor()), layer(X))


@case
def copies_between_unlike_layers() -> None:
    rnn = nn.LSTM(3, 5, batch_first=True)
    with refuses("Build the target with the same sizes and options, or let convert build it."):
        copy_weights(lstm(), rnn)
    target = nn.LSTM(3, 4, batch_first=True)
    copy_weights(lstm(), target)
    assert_parity(lstm(), target)
    assert check_parity(lstm(), convert(lstm()))


@case
def an_emulation_in_its_own_framework() -> None:
    with refuses("Use it as it is."):
        emulate(lstm(), to="keras")
    with refuses("*Use gatewise.emulate(rnn, to='keras'), which does."):
        convert(nn.LSTM(3, 4, proj_size=2), to="keras")
    rnn = nn.LSTM(3, 4, proj_size=2, batch_first=True)
    with warnings.catch_warnings():  # torch's own, that it does not use oneDNN for projections
        warnings.simplefilter("ignore")
        close(gatewise.emulate(rnn, to="keras")(X)[0], rnn(tensor())[0])


@case
def tf_keras_layers() -> None:
    old: Any = import_module("tf_keras").layers
    layer = filled(old.LSTM(4, time_major=True, return_sequences=True), X.swapaxes(0, 1))
    with refuses(
        "Build it with time_major=False and give it the same weights. Nothing else differs: transpose its input and output, or "
        "pass them as they are to the torch module with batch_first=False."
    ):
        convert(layer)
    plain = old.LSTM(4, return_sequences=True, time_major=False)
    plain(X)
    plain.set_weights(layer.get_weights())
    close(convert(plain)(tensor())[0], array(layer(X.swapaxes(0, 1))).swapaxes(0, 1))
    time_first = nn.LSTM(3, 4, batch_first=False)
    copy_weights(plain, time_first)
    close(time_first(tensor(X.swapaxes(0, 1)))[0], layer(X.swapaxes(0, 1)))
    cells = old.StackedRNNCells([old.LSTMCell(4), old.LSTMCell(4)], reverse_state_order=True)
    with refuses("Build it without."):
        convert(filled(old.RNN(cells)))
    again = filled(old.RNN(old.StackedRNNCells([old.LSTMCell(4), old.LSTMCell(4)])))
    assert_parity(again, convert(again))


@case
def a_layer_without_cells() -> None:
    with refuses("Pass it the cells."):
        adapt(LAYERS.RNN([]))
    layer = filled(LAYERS.RNN([LAYERS.LSTMCell(4)]))
    assert_parity(layer, convert(layer))


@case
def bare_stacked_cells() -> None:
    cells = LAYERS.StackedRNNCells([LAYERS.LSTMCell(4), LAYERS.LSTMCell(4)])
    for action in (convert, emulate):
        with refuses("Wrap it as keras.layers.RNN(cells)."):
            action(cells)
    layer = filled(LAYERS.RNN(cells))
    close(convert(layer)(tensor())[0][:, -1], layer(X))


@case
def torch_modules_whose_weights_are_not_plain() -> None:
    rnn: Any = nn.LSTM(3, 4, batch_first=True)
    normed: Any = nn.utils.parametrizations.weight_norm(nn.LSTM(3, 4, batch_first=True), "weight_hh_l0")
    with refuses("Make them plain first, with torch.nn.utils.parametrize.remove_parametrizations or remove_weight_norm."):
        convert(normed, to="keras")
    before = normed(tensor())[0]
    nn.utils.parametrize.remove_parametrizations(normed, "weight_hh_l0")
    close(convert(normed, to="keras")(X)[0], before)
    with torch.device("meta"):
        meta = nn.LSTM(3, 4, batch_first=True)
    with refuses("Load it on a real device first, with to_empty and a state_dict."):
        convert(meta, to="keras")
    loaded = meta.to_empty(device="cpu")
    loaded.load_state_dict(rnn.state_dict())
    assert_parity(rnn, convert(loaded, to="keras"))
    half = nn.LSTM(3, 4).half()
    with refuses("Cast it with .float(): half precision is not compared."):
        convert(half, to="keras")
    convert(half.float(), to="keras")
    half.weight_hh_l0.data = half.weight_hh_l0.data.double()
    with refuses("Cast it whole with .float() or .double()."):
        convert(half, to="keras")
    convert(half.double(), to="keras")
    rnn.weight_hh_l0 = nn.Parameter(torch.zeros(16, 5))
    with refuses("It was assigned without load_state_dict, and torch may run all the same: load it in its shape."):
        convert(rnn, to="keras")
    rnn.weight_hh_l0 = nn.Parameter(torch.zeros(16, 4))
    rnn.bias_hh_l0 = nn.Parameter(rnn.bias_ih_l0.data)
    with refuses("Assign a .clone() of it."):
        convert(rnn, to="keras")
    rnn.bias_hh_l0 = nn.Parameter(rnn.bias_ih_l0.data.clone())
    assert_parity(rnn, convert(rnn, to="keras"))
    rnn.bias_hh_l0 = nn.Parameter(torch.zeros(1).expand(16))
    with refuses("Assign a .clone() of it."):
        convert(rnn, to="keras")
    dropping = nn.LSTM(3, 4, 2, dropout=0.5)
    with refuses("Call .eval() on it first."):
        adapt(dropping).forward(X)
    adapt(dropping.eval()).forward(X)
