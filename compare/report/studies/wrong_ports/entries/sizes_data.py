"""The kernel was assigned through .data, untransposed, and float32 nn.LSTM runs with it without a word."""

import keras
import numpy as np
import torch

MISTAKES = ("sizes",)
WHERE = {"part": "kernel"}


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
    kernel, recurrent_kernel, bias = map(torch.tensor, layer.get_weights())
    rnn = torch.nn.LSTM(4, 5, batch_first=True)
    rnn.weight_ih_l0.data = kernel
    rnn.weight_hh_l0.data = recurrent_kernel.T.contiguous()
    rnn.bias_ih_l0.data = bias
    rnn.bias_hh_l0.data = torch.zeros(20)
    return rnn


def correct(layer):
    kernel, recurrent_kernel, bias = map(torch.tensor, layer.get_weights())
    rnn = torch.nn.LSTM(4, 5, batch_first=True)
    rnn.weight_ih_l0.data = kernel.T.contiguous()
    rnn.weight_hh_l0.data = recurrent_kernel.T.contiguous()
    rnn.bias_ih_l0.data = bias
    rnn.bias_hh_l0.data = torch.zeros(20)
    return rnn
