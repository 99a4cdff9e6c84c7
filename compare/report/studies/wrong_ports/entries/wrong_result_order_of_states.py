"""Keras returns h and c of one direction after the other; the port returns both h, then both c."""

import keras
import numpy as np
import torch

MISTAKES = ("wrong-result",)
WHERE = {}


def right(seed):
    layer = keras.layers.Bidirectional(keras.layers.LSTM(5, return_state=True))
    layer.build((None, None, 4))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.5, array.shape) for array in layer.get_weights()])
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32")}


def wrong(layer):
    rnn = torch.nn.LSTM(4, 5, batch_first=True, bidirectional=True)
    for suffix, one in (("_l0", layer.forward_layer), ("_l0_reverse", layer.backward_layer)):
        kernel, recurrent_kernel, bias = map(torch.tensor, one.get_weights())
        arrays = (kernel.T, recurrent_kernel.T, bias, 0 * bias)
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        rnn.load_state_dict({name + suffix: array for name, array in zip(names, arrays)}, strict=False)

    def port(x):
        _, (h_n, c_n) = rnn(x)
        states = (*h_n, *c_n)
        return torch.cat((h_n[0], h_n[1]), dim=-1), *states

    return port


def correct(layer):
    rnn = torch.nn.LSTM(4, 5, batch_first=True, bidirectional=True)
    for suffix, one in (("_l0", layer.forward_layer), ("_l0_reverse", layer.backward_layer)):
        kernel, recurrent_kernel, bias = map(torch.tensor, one.get_weights())
        arrays = (kernel.T, recurrent_kernel.T, bias, 0 * bias)
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        rnn.load_state_dict({name + suffix: array for name, array in zip(names, arrays)}, strict=False)

    def port(x):
        _, (h_n, c_n) = rnn(x)
        states = (h_n[0], c_n[0], h_n[1], c_n[1])
        return torch.cat((h_n[0], h_n[1]), dim=-1), *states

    return port
