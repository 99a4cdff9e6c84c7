"""The bidirectional LSTM has untransposed blocks, and the arrays of each direction in the other's place."""

import keras
import numpy as np
import torch

MISTAKES = ("gate-blocks-not-transposed", "directions-swapped")
WHERE = {"gate-blocks-not-transposed": {"part": "recurrent kernel"}}


def right(seed):
    layer = keras.layers.Bidirectional(keras.layers.LSTM(5, return_sequences=True))
    layer.build((None, None, 4))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.5, array.shape) for array in layer.get_weights()])
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32")}


def wrong(layer):
    rnn = torch.nn.LSTM(4, 5, batch_first=True, bidirectional=True)
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    for suffix, one in (("_l0_reverse", layer.forward_layer), ("_l0", layer.backward_layer)):
        kernel, recurrent_kernel, bias = map(torch.tensor, one.get_weights())
        recurrent_kernel = torch.cat(recurrent_kernel.chunk(4, dim=1))
        arrays = (kernel.T, recurrent_kernel, bias, 0 * bias)
        rnn.load_state_dict({name + suffix: array for name, array in zip(names, arrays)}, strict=False)
    return rnn


def correct(layer):
    rnn = torch.nn.LSTM(4, 5, batch_first=True, bidirectional=True)
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    for suffix, one in (("_l0", layer.forward_layer), ("_l0_reverse", layer.backward_layer)):
        kernel, recurrent_kernel, bias = map(torch.tensor, one.get_weights())
        recurrent_kernel = torch.cat([block.T for block in recurrent_kernel.chunk(4, dim=1)])
        arrays = (kernel.T, recurrent_kernel, bias, 0 * bias)
        rnn.load_state_dict({name + suffix: array for name, array in zip(names, arrays)}, strict=False)
    return rnn
