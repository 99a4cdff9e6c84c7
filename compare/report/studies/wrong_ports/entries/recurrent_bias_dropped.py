"""Keras's GRU has a bias of two rows; one of them was copied."""

import keras
import numpy as np
import torch

MISTAKES = ("recurrent-bias-dropped",)
WHERE = {"part": "recurrent bias"}


def right(seed):
    layer = keras.layers.GRU(5, return_sequences=True)
    layer.build((None, None, 4))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.5, array.shape) for array in layer.get_weights()])
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32")}


def wrong(layer):
    def swap(blocks):  # update, reset, candidate -> reset, update, candidate
        update, reset, candidate = np.split(blocks, 3, axis=-1)
        return np.concatenate([reset, update, candidate], axis=-1)

    kernel, recurrent_kernel, bias = layer.get_weights()
    rnn = torch.nn.GRU(4, 5, batch_first=True)
    with torch.no_grad():
        rnn.weight_ih_l0.copy_(torch.tensor(swap(kernel).T))
        rnn.weight_hh_l0.copy_(torch.tensor(swap(recurrent_kernel).T))
        rnn.bias_ih_l0.copy_(torch.tensor(swap(bias[0])))
        rnn.bias_hh_l0.copy_(torch.zeros(15))
    return rnn


def correct(layer):
    def swap(blocks):  # update, reset, candidate -> reset, update, candidate
        update, reset, candidate = np.split(blocks, 3, axis=-1)
        return np.concatenate([reset, update, candidate], axis=-1)

    kernel, recurrent_kernel, bias = layer.get_weights()
    rnn = torch.nn.GRU(4, 5, batch_first=True)
    with torch.no_grad():
        rnn.weight_ih_l0.copy_(torch.tensor(swap(kernel).T))
        rnn.weight_hh_l0.copy_(torch.tensor(swap(recurrent_kernel).T))
        rnn.bias_ih_l0.copy_(torch.tensor(swap(bias[0])))
        rnn.bias_hh_l0.copy_(torch.tensor(swap(bias[1])))
    return rnn
