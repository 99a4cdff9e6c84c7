"""The hidden units of the port were sorted by importance, and the layer after it expects them unsorted."""

import keras
import numpy as np
import torch

MISTAKES = ("units-permuted",)
WHERE = {}


def right(seed):
    layer = keras.layers.SimpleRNN(5, return_sequences=True)
    layer.build((None, None, 4))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.5, array.shape) for array in layer.get_weights()])
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32")}


def wrong(layer):
    kernel, recurrent_kernel, bias = layer.get_weights()
    order = np.argsort(-np.abs(kernel).sum(axis=0))
    rnn = torch.nn.RNN(4, 5, batch_first=True)
    with torch.no_grad():
        rnn.weight_ih_l0.copy_(torch.tensor(kernel[:, order].T))
        rnn.weight_hh_l0.copy_(torch.tensor(recurrent_kernel[order][:, order].T))
        rnn.bias_ih_l0.copy_(torch.tensor(bias[order]))
        rnn.bias_hh_l0.zero_()
    return rnn


def correct(layer):
    kernel, recurrent_kernel, bias = layer.get_weights()
    order = np.arange(5)
    rnn = torch.nn.RNN(4, 5, batch_first=True)
    with torch.no_grad():
        rnn.weight_ih_l0.copy_(torch.tensor(kernel[:, order].T))
        rnn.weight_hh_l0.copy_(torch.tensor(recurrent_kernel[order][:, order].T))
        rnn.bias_ih_l0.copy_(torch.tensor(bias[order]))
        rnn.bias_hh_l0.zero_()
    return rnn
