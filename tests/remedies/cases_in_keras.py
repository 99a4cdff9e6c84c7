"""Remedies for torch's modules written in Keras."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import numpy as np
import torch
from torch import nn

from frameworks.emulation import keras as emulated
from gatewise import adapt, emulate
from tests.remedies.arrays import X, array, close, drawn, tensor
from tests.remedies.following import case, refuses, warns

TorchLSTM: Any = emulated.TorchLSTM


@case
def arguments_of_a_module() -> None:
    with refuses("Choose an activation of torch's module."):
        emulated.TorchRNN(3, 4, nonlinearity="sigmoid")
    with refuses("Pass a bool."):
        TorchLSTM(3, 4, batch_first=1)
    with refuses("Pass the rate at which outputs between layers become zero in training."):
        TorchLSTM(3, 4, 2, dropout=2)
    with refuses("Pass 0 for no projection."):
        TorchLSTM(3, 4, proj_size=4)
    with refuses("Only an LSTM projects its hidden state."):
        emulated.TorchGRU(3, 4, proj_size=2)
    with warns("dropout=0.5 applies after every layer but the last, so it has no effect with num_layers=1"):
        TorchLSTM(3, 4, dropout=0.5)
    right = TorchLSTM(3, 4, 2, dropout=0.5, batch_first=True, proj_size=2)
    assert right(X)[0].shape == (2, 5, 2)
    with refuses("Pass one entry of activations for each direction."):
        emulated.OnnxRecurrent("lstm", 3, 4, bidirectional=True, activations=({"activation": "tanh"},))
    emulated.OnnxRecurrent("lstm", 3, 4, bidirectional=True, activations=({"activation": "tanh"},) * 2)


@case
def calls_of_a_module() -> None:
    rnn = nn.LSTM(3, 4, batch_first=True)
    layer = emulate(rnn, to="keras")
    expected, states = rnn(tensor())
    with refuses("Leave out empty sequences."):
        layer(X[:, :0])
    with refuses("Convert it with numpy.asarray; an LSTM takes the tuple (h_0, c_0), other layers the tensor h_0."):
        layer(X, ([[0.0]], [[0.0]]))
    with refuses("Cast it first."):
        layer(X.astype("int64"))
    with refuses("Order the axes as torch does; in a functional Model, put the batch first."):
        layer(X[:, :, :2])
    with refuses("Pass the states as the layer returns them."):
        layer(X, np.zeros((1, 2, 4), "float32"))
    output, returned = layer(X)
    close(output, expected)
    close(layer(X, returned)[0], rnn(tensor(), states)[0])
    lengths = np.array([5, 3])
    with refuses("Cut the inputs instead."):
        layer(X[0], lengths=lengths[1:])
    close(layer(X[1, :3])[0], rnn(tensor(X[1, :3]))[0])
    with refuses("Count the valid steps of each row, or pass None if all steps are valid."):
        layer(X, lengths=np.ones((2, 5), bool))
    with refuses("Pass one length for each row, in the order of the rows."):
        layer(X, lengths=lengths[:1])
    with refuses("Leave empty rows out, and pad the inputs to the longest row."):
        layer(X, lengths=np.array([6, 3]))
    packed = nn.utils.rnn.pack_padded_sequence(tensor(), torch.tensor(lengths), batch_first=True)
    close(layer(X, lengths=lengths)[0], nn.utils.rnn.pad_packed_sequence(rnn(packed)[0], batch_first=True)[0])


@case
def in_a_functional_model() -> None:
    rnn = nn.LSTM(3, 4)
    layer = emulate(rnn, to="keras")
    time_first = keras.Input((2, 3))
    with refuses("Set its attribute batch_first to True and pass the batch first."):
        layer(time_first)
    layer.batch_first = True
    inputs = keras.Input((5, 3))
    model = keras.Model(inputs, layer(inputs)[0])
    close(model.predict(X, verbose=0), array(rnn(tensor().swapaxes(0, 1))[0].swapaxes(0, 1)))
    with refuses("Add a batch axis."):
        layer(keras.Input((3,)))


@case
def through_the_common_interface() -> None:
    layer = TorchLSTM(3, 4)
    with refuses("Call it once on data, or call layer.build()."):
        adapt(layer)
    layer.build()
    assert adapt(layer).spec.hidden_size == 4
    rnn = nn.LSTM(3, 4, proj_size=2, batch_first=True)
    projecting = emulate(rnn, to="keras")
    with refuses("The common interface has no projection: call the layer itself, and compare with torch's results."):
        adapt(projecting)
    with warnings.catch_warnings():  # torch's own, that it does not use oneDNN for projections
        warnings.simplefilter("ignore")
        close(projecting(X)[0], rnn(tensor())[0])
    unlike = emulated.OnnxRecurrent(
        "gru", 3, 4, bidirectional=True, activations=({"activation": "tanh"}, {"activation": "relu"})
    )
    unlike.build()
    with refuses("No single spec describes such directions: call the layer itself."):
        adapt(unlike)
    assert unlike(drawn(5, 2, 3))[0].shape == (5, 2, 8)
