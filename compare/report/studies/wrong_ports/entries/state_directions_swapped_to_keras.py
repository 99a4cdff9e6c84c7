"""Torch's initial states of the two directions were unpacked in the wrong order."""

import keras
import numpy as np
import torch

MISTAKES = ("state-directions-swapped",)
WHERE = {}


def right(seed):
    layer = torch.nn.RNN(4, 5, batch_first=True, bidirectional=True)
    generator = torch.Generator().manual_seed(seed)
    for array in layer.parameters():
        torch.nn.init.normal_(array, std=0.5, generator=generator)
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {
        "inputs": rng.normal(size=(3, 7, 4)).astype("float32"),
        "initial_state": rng.normal(0, 0.5, (2, 3, 5)).astype("float32"),
    }


def wrong(layer):
    rnn = keras.layers.Bidirectional(keras.layers.SimpleRNN(5, return_sequences=True, return_state=True))
    rnn.build((None, None, 4))
    for one, arrays in ((rnn.forward_layer, [*layer.parameters()][:4]), (rnn.backward_layer, [*layer.parameters()][4:])):
        kernel, recurrent_kernel, bias, recurrent_bias = (array.detach().numpy().T for array in arrays)
        one.set_weights([kernel, recurrent_kernel, bias + recurrent_bias])

    class Port(keras.layers.Layer):
        def call(self, x, initial_state):
            output, forward, backward = rnn(x, initial_state=[initial_state[1], initial_state[0]])
            return output, keras.ops.stack([forward, backward])

    port = Port()
    port.supports_masking = True
    return port


def correct(layer):
    rnn = keras.layers.Bidirectional(keras.layers.SimpleRNN(5, return_sequences=True, return_state=True))
    rnn.build((None, None, 4))
    for one, arrays in ((rnn.forward_layer, [*layer.parameters()][:4]), (rnn.backward_layer, [*layer.parameters()][4:])):
        kernel, recurrent_kernel, bias, recurrent_bias = (array.detach().numpy().T for array in arrays)
        one.set_weights([kernel, recurrent_kernel, bias + recurrent_bias])

    class Port(keras.layers.Layer):
        def call(self, x, initial_state):
            output, forward, backward = rnn(x, initial_state=[initial_state[0], initial_state[1]])
            return output, keras.ops.stack([forward, backward])

    port = Port()
    port.supports_masking = True
    return port
