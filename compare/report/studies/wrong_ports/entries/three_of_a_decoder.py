"""The kernel was reshaped, the states exchanged, and the first time step returned for the last."""

import keras
import numpy as np
import torch

MISTAKES = ("kernel-reshaped", "states-swapped", "wrong-result")
WHERE = {"kernel-reshaped": {"part": "kernel"}}


def right(seed):
    layer = keras.layers.LSTM(5)
    layer.build((None, None, 4))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.5, array.shape) for array in layer.get_weights()])
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {
        "inputs": rng.normal(size=(3, 7, 4)).astype("float32"),
        "initial_state": [rng.normal(0, 0.5, (3, 5)).astype("float32") for _ in range(2)],
    }


def wrong(layer):
    kernel, recurrent_kernel, bias = map(torch.tensor, layer.get_weights())
    rnn = torch.nn.LSTM(4, 5, batch_first=True)
    arrays = (kernel.T, recurrent_kernel.T, bias, 0 * bias)
    rnn.load_state_dict(dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), arrays)))
    rnn.weight_ih_l0.data.copy_(kernel.reshape(20, 4))

    def port(x, initial_state):
        h, c = initial_state
        output, _ = rnn(x, (c[None], h[None]))
        return output[:, 0]

    return port


def correct(layer):
    kernel, recurrent_kernel, bias = map(torch.tensor, layer.get_weights())
    rnn = torch.nn.LSTM(4, 5, batch_first=True)
    arrays = (kernel.T, recurrent_kernel.T, bias, 0 * bias)
    rnn.load_state_dict(dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), arrays)))
    rnn.weight_ih_l0.data.copy_(kernel.T)

    def port(x, initial_state):
        h, c = initial_state
        output, _ = rnn(x, (h[None], c[None]))
        return output[:, -1]

    return port
