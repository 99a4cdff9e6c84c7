"""The Keras SimpleRNN made from torch agrees at the first time step only."""

import keras
import numpy as np
import torch

MISTAKES = ("recurrent-kernel-not-transposed",)
WHERE = {"part": "recurrent kernel"}


def right(seed):
    layer = torch.nn.RNN(4, 5, batch_first=True)
    generator = torch.Generator().manual_seed(seed)
    for array in layer.parameters():
        torch.nn.init.normal_(array, std=0.5, generator=generator)
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32")}


def wrong(layer):
    rnn = keras.layers.SimpleRNN(5, return_sequences=True)
    rnn.build((None, None, 4))
    kernel = layer.weight_ih_l0.detach().numpy().T
    recurrent_kernel = layer.weight_hh_l0.detach().numpy()
    rnn.set_weights([kernel, recurrent_kernel, (layer.bias_ih_l0 + layer.bias_hh_l0).detach().numpy()])
    return rnn


def correct(layer):
    rnn = keras.layers.SimpleRNN(5, return_sequences=True)
    rnn.build((None, None, 4))
    kernel = layer.weight_ih_l0.detach().numpy().T
    recurrent_kernel = layer.weight_hh_l0.detach().numpy().T
    rnn.set_weights([kernel, recurrent_kernel, (layer.bias_ih_l0 + layer.bias_hh_l0).detach().numpy()])
    return rnn
