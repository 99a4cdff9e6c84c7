"""The port returns NaN: it normalises the columns of the kernel, and one input of the right layer has no weights."""

import keras
import numpy as np
import torch

MISTAKES = ("not-a-number",)
WHERE = {"part": "kernel"}


def right(seed):
    layer = keras.layers.SimpleRNN(5, return_sequences=True)
    layer.build((None, None, 4))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.5, array.shape) for array in layer.get_weights()])
    kernel = layer.get_weights()[0]
    kernel[2] = 0.0  # a constant input
    layer.cell.kernel.assign(kernel)
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32")}


def wrong(layer):
    kernel, recurrent_kernel, bias = map(torch.tensor, layer.get_weights())
    size = kernel.norm(dim=1, keepdim=True)
    direction = kernel / size
    rnn = torch.nn.RNN(4, 5, batch_first=True)
    arrays = ((size * direction).T, recurrent_kernel.T, bias, 0 * bias)
    rnn.load_state_dict(dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), arrays)))
    return rnn


def correct(layer):
    kernel, recurrent_kernel, bias = map(torch.tensor, layer.get_weights())
    size = kernel.norm(dim=1, keepdim=True)
    direction = kernel / size.clamp(min=1e-12)
    rnn = torch.nn.RNN(4, 5, batch_first=True)
    arrays = ((size * direction).T, recurrent_kernel.T, bias, 0 * bias)
    rnn.load_state_dict(dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), arrays)))
    return rnn
