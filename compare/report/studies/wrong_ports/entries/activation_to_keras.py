"""The torch RNN uses relu, the Keras SimpleRNN its default tanh."""

import keras
import numpy as np
import torch

MISTAKES = ("activation",)
WHERE = {}


def right(seed):
    layer = torch.nn.RNN(4, 5, nonlinearity="relu", batch_first=True)
    generator = torch.Generator().manual_seed(seed)
    for array in layer.parameters():
        torch.nn.init.normal_(array, std=0.3, generator=generator)
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32")}


def wrong(layer):
    rnn = keras.layers.SimpleRNN(5, return_sequences=True)
    rnn.build((None, None, 4))
    kernel, recurrent_kernel, *biases = (array.detach().numpy().T for array in layer.parameters())
    rnn.set_weights([kernel, recurrent_kernel, sum(biases)])
    return rnn


def correct(layer):
    rnn = keras.layers.SimpleRNN(5, activation="relu", return_sequences=True)
    rnn.build((None, None, 4))
    kernel, recurrent_kernel, *biases = (array.detach().numpy().T for array in layer.parameters())
    rnn.set_weights([kernel, recurrent_kernel, sum(biases)])
    return rnn
