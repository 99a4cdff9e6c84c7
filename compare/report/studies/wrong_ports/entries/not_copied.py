"""Everything was copied but torch's second bias, which keeps the numbers that torch drew."""

import keras
import numpy as np
import torch

MISTAKES = ("not-copied",)
WHERE = {"part": "recurrent bias"}


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
    weights = {"weight_ih_l0": kernel.T, "weight_hh_l0": recurrent_kernel.T}
    biases = {"bias_ih_l0": bias}
    rnn.load_state_dict({**weights, **biases}, strict=False)
    return rnn


def correct(layer):
    kernel, recurrent_kernel, bias = map(torch.tensor, layer.get_weights())
    rnn = torch.nn.LSTM(4, 5, batch_first=True)
    weights = {"weight_ih_l0": kernel.T, "weight_hh_l0": recurrent_kernel.T}
    biases = {"bias_ih_l0": bias, "bias_hh_l0": 0 * bias}
    rnn.load_state_dict({**weights, **biases}, strict=False)
    return rnn
