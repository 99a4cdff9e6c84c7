"""The stack was filled from the top, and since all layers have the same size, nothing complained."""

import keras
import numpy as np
import torch

MISTAKES = ("layers-swapped",)
WHERE = {}


def right(seed):
    rng = np.random.default_rng(seed)
    layers = [keras.layers.LSTM(4, return_sequences=True) for _ in range(2)]
    for layer in layers:
        layer.build((None, None, 4))
        layer.set_weights([rng.normal(0, 0.5, array.shape) for array in layer.get_weights()])
    return layers


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32")}


def wrong(layer):
    rnn = torch.nn.LSTM(4, 4, num_layers=2, batch_first=True)
    with torch.no_grad():
        for number, one in enumerate(layer[::-1]):
            kernel, recurrent_kernel, bias = map(torch.tensor, one.get_weights())
            getattr(rnn, f"weight_ih_l{number}").copy_(kernel.T)
            getattr(rnn, f"weight_hh_l{number}").copy_(recurrent_kernel.T)
            getattr(rnn, f"bias_ih_l{number}").copy_(bias)
            getattr(rnn, f"bias_hh_l{number}").zero_()
    return rnn


def correct(layer):
    rnn = torch.nn.LSTM(4, 4, num_layers=2, batch_first=True)
    with torch.no_grad():
        for number, one in enumerate(layer):
            kernel, recurrent_kernel, bias = map(torch.tensor, one.get_weights())
            getattr(rnn, f"weight_ih_l{number}").copy_(kernel.T)
            getattr(rnn, f"weight_hh_l{number}").copy_(recurrent_kernel.T)
            getattr(rnn, f"bias_ih_l{number}").copy_(bias)
            getattr(rnn, f"bias_hh_l{number}").zero_()
    return rnn
