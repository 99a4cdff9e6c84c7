"""The rows of the kernel were sorted by the names of the features, the columns of the data were not."""

import keras
import numpy as np
import torch

MISTAKES = ("inputs-permuted",)
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
    kernel, recurrent_kernel, bias = layer.get_weights()
    features = ["speed", "height", "angle", "drag"]
    order = [features.index(name) for name in sorted(features)]
    rnn = torch.nn.LSTM(4, 5, batch_first=True)
    with torch.no_grad():
        rnn.weight_ih_l0.copy_(torch.tensor(kernel[order].T))
        rnn.weight_hh_l0.copy_(torch.tensor(recurrent_kernel.T))
        rnn.bias_ih_l0.copy_(torch.tensor(bias))
        rnn.bias_hh_l0.copy_(torch.zeros(20))
    return rnn


def correct(layer):
    kernel, recurrent_kernel, bias = layer.get_weights()
    features = ["speed", "height", "angle", "drag"]
    order = [features.index(name) for name in features]
    rnn = torch.nn.LSTM(4, 5, batch_first=True)
    with torch.no_grad():
        rnn.weight_ih_l0.copy_(torch.tensor(kernel[order].T))
        rnn.weight_hh_l0.copy_(torch.tensor(recurrent_kernel.T))
        rnn.bias_ih_l0.copy_(torch.tensor(bias))
        rnn.bias_hh_l0.copy_(torch.zeros(20))
    return rnn
