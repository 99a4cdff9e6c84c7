"""The port remembers for too long: 1 was added to the forget bias, because Keras had unit_forget_bias=True."""

import keras
import numpy as np
import torch

MISTAKES = ("forget-bias-twice",)
WHERE = {"part": "bias", "gate": "forget"}


def right(seed):
    layer = keras.layers.LSTM(5, return_sequences=True)
    layer.build((None, None, 4))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.5, array.shape) for array in layer.get_weights()])
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32")}


def wrong(layer):
    kernel, recurrent_kernel, bias = layer.get_weights()
    rnn = torch.nn.LSTM(4, 5, batch_first=True)
    with torch.no_grad():
        rnn.weight_ih_l0.copy_(torch.tensor(kernel.T))
        rnn.weight_hh_l0.copy_(torch.tensor(recurrent_kernel.T))
        rnn.bias_ih_l0.copy_(torch.tensor(bias + np.repeat([0, 1, 0, 0], 5)))
        rnn.bias_hh_l0.copy_(torch.zeros(20))
    return rnn


def correct(layer):
    kernel, recurrent_kernel, bias = layer.get_weights()
    rnn = torch.nn.LSTM(4, 5, batch_first=True)
    with torch.no_grad():
        rnn.weight_ih_l0.copy_(torch.tensor(kernel.T))
        rnn.weight_hh_l0.copy_(torch.tensor(recurrent_kernel.T))
        rnn.bias_ih_l0.copy_(torch.tensor(bias))
        rnn.bias_hh_l0.copy_(torch.zeros(20))
    return rnn
