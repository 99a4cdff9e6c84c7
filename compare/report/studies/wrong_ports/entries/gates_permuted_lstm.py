"""The LSTM was reordered for torch, as a GRU has to be, and none of its outputs agrees."""

import keras
import numpy as np
import torch

MISTAKES = ("gates-permuted",)
WHERE = {}


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
    def reorder(blocks):  # torch: input, forget, candidate, output
        i, f, g, o = np.split(blocks, 4, axis=-1)
        return np.concatenate([i, f, o, g], axis=-1)

    kernel, recurrent_kernel, bias = layer.get_weights()
    rnn = torch.nn.LSTM(4, 5, batch_first=True)
    with torch.no_grad():
        rnn.weight_ih_l0.copy_(torch.tensor(reorder(kernel).T))
        rnn.weight_hh_l0.copy_(torch.tensor(reorder(recurrent_kernel).T))
        rnn.bias_ih_l0.copy_(torch.tensor(reorder(bias)))
        rnn.bias_hh_l0.copy_(torch.zeros(20))
    return rnn


def correct(layer):
    def reorder(blocks):  # torch: input, forget, candidate, output
        i, f, g, o = np.split(blocks, 4, axis=-1)
        return np.concatenate([i, f, g, o], axis=-1)

    kernel, recurrent_kernel, bias = layer.get_weights()
    rnn = torch.nn.LSTM(4, 5, batch_first=True)
    with torch.no_grad():
        rnn.weight_ih_l0.copy_(torch.tensor(reorder(kernel).T))
        rnn.weight_hh_l0.copy_(torch.tensor(reorder(recurrent_kernel).T))
        rnn.bias_ih_l0.copy_(torch.tensor(reorder(bias)))
        rnn.bias_hh_l0.copy_(torch.zeros(20))
    return rnn
