"""Both directions are modules of their own, and both read the sequence from the front."""

import keras
import numpy as np
import torch

MISTAKES = ("backward-not-flipped",)
WHERE = {}


def right(seed):
    layer = keras.layers.Bidirectional(keras.layers.LSTM(5, return_sequences=True))
    layer.build((None, None, 4))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.5, array.shape) for array in layer.get_weights()])
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32")}


def wrong(layer):
    def made(one):
        kernel, recurrent_kernel, bias = map(torch.tensor, one.get_weights())
        rnn = torch.nn.LSTM(4, 5, batch_first=True)
        arrays = (kernel.T, recurrent_kernel.T, bias, 0 * bias)
        rnn.load_state_dict(dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), arrays)))
        return rnn

    forward, backward = made(layer.forward_layer), made(layer.backward_layer)

    def port(x):
        return torch.cat((forward(x)[0], backward(x)[0]), dim=-1)

    return port


def correct(layer):
    def made(one):
        kernel, recurrent_kernel, bias = map(torch.tensor, one.get_weights())
        rnn = torch.nn.LSTM(4, 5, batch_first=True)
        arrays = (kernel.T, recurrent_kernel.T, bias, 0 * bias)
        rnn.load_state_dict(dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), arrays)))
        return rnn

    forward, backward = made(layer.forward_layer), made(layer.backward_layer)

    def port(x):
        return torch.cat((forward(x)[0], backward(x.flip(1))[0].flip(1)), dim=-1)

    return port
