"""The decoder ignores its initial states and adds its bias twice."""

import keras
import numpy as np
import torch

MISTAKES = ("bias-doubled", "state-forgotten")
WHERE = {"bias-doubled": {"part": "bias"}}


def right(seed):
    layer = keras.layers.LSTM(5, return_sequences=True)
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
    rnn.bias_hh_l0.data.copy_(bias)

    def port(x, initial_state):
        h, c = initial_state
        return rnn(x)[0]

    return port


def correct(layer):
    kernel, recurrent_kernel, bias = map(torch.tensor, layer.get_weights())
    rnn = torch.nn.LSTM(4, 5, batch_first=True)
    arrays = (kernel.T, recurrent_kernel.T, bias, 0 * bias)
    rnn.load_state_dict(dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), arrays)))
    rnn.bias_hh_l0.data.copy_(0 * bias)

    def port(x, initial_state):
        h, c = initial_state
        return rnn(x, (h[None], c[None]))[0]

    return port
