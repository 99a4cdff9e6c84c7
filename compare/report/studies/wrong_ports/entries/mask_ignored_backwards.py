"""The forward half is right on padded sequences; the backward half started in the padding."""

import keras
import numpy as np
import torch

MISTAKES = ("mask-ignored-backwards",)
WHERE = {}


def right(seed):
    layer = keras.layers.Bidirectional(keras.layers.LSTM(5))
    layer.build((None, None, 4))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.5, array.shape) for array in layer.get_weights()])
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32"), "mask": np.arange(7) < np.array([[7], [4], [2]])}


def wrong(layer):
    def made(one):
        kernel, recurrent_kernel, bias = map(torch.tensor, one.get_weights())
        rnn = torch.nn.LSTM(4, 5, batch_first=True)
        arrays = (kernel.T, recurrent_kernel.T, bias, 0 * bias)
        rnn.load_state_dict(dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), arrays)))
        return rnn

    forward, backward = made(layer.forward_layer), made(layer.backward_layer)

    def port(x, mask):
        ends = mask.sum(dim=1) - 1
        step = torch.arange(x.shape[1])
        turned = x.flip(1)
        last = forward(x)[0][torch.arange(len(x)), ends]
        first = backward(turned)[0][torch.arange(len(x)), -1]
        return torch.cat((last, first), dim=-1)

    return port


def correct(layer):
    def made(one):
        kernel, recurrent_kernel, bias = map(torch.tensor, one.get_weights())
        rnn = torch.nn.LSTM(4, 5, batch_first=True)
        arrays = (kernel.T, recurrent_kernel.T, bias, 0 * bias)
        rnn.load_state_dict(dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), arrays)))
        return rnn

    forward, backward = made(layer.forward_layer), made(layer.backward_layer)

    def port(x, mask):
        ends = mask.sum(dim=1) - 1
        step = torch.arange(x.shape[1])
        turned = torch.stack([row[(end - step) % len(row)] for row, end in zip(x, ends)])
        last = forward(x)[0][torch.arange(len(x)), ends]
        first = backward(turned)[0][torch.arange(len(x)), ends]
        return torch.cat((last, first), dim=-1)

    return port
