"""A GRU that was ported by its shapes: gates as in Keras, batch as in torch."""

import keras
import numpy as np
import torch

MISTAKES = ("gates-permuted", "batch-first")
WHERE = {}


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
    def swap(blocks):
        update, reset, candidate = np.split(blocks, 3, axis=-1)
        return np.concatenate([update, reset, candidate], axis=-1)

    kernel, recurrent_kernel, bias = layer.get_weights()
    rnn = torch.nn.GRU(4, 5)
    with torch.no_grad():
        rnn.weight_ih_l0.copy_(torch.tensor(swap(kernel).T))
        rnn.weight_hh_l0.copy_(torch.tensor(swap(recurrent_kernel).T))
        rnn.bias_ih_l0.copy_(torch.tensor(swap(bias[0])))
        rnn.bias_hh_l0.copy_(torch.tensor(swap(bias[1])))

    def port(x):
        return rnn(x)[0]

    return port


def correct(layer):
    def swap(blocks):
        update, reset, candidate = np.split(blocks, 3, axis=-1)
        return np.concatenate([reset, update, candidate], axis=-1)

    kernel, recurrent_kernel, bias = layer.get_weights()
    rnn = torch.nn.GRU(4, 5, batch_first=True)
    with torch.no_grad():
        rnn.weight_ih_l0.copy_(torch.tensor(swap(kernel).T))
        rnn.weight_hh_l0.copy_(torch.tensor(swap(recurrent_kernel).T))
        rnn.bias_ih_l0.copy_(torch.tensor(swap(bias[0])))
        rnn.bias_hh_l0.copy_(torch.tensor(swap(bias[1])))

    def port(x):
        return rnn(x)[0]

    return port
