"""The port forgets too fast: 1 was subtracted from the forget bias, because Keras has unit_forget_bias=True."""

import keras
import numpy as np
import torch

MISTAKES = ("forget-bias-missing",)
WHERE = {"part": "bias", "gate": "forget"}


def right(seed):
    layer = torch.nn.LSTM(4, 5, batch_first=True)
    generator = torch.Generator().manual_seed(seed)
    for array in layer.parameters():
        torch.nn.init.normal_(array, std=0.5, generator=generator)
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32")}


def wrong(layer):
    lstm = keras.layers.LSTM(5, unit_forget_bias=True, return_sequences=True)
    lstm.build((None, None, 4))
    kernel, recurrent_kernel = (array.detach().numpy().T for array in (layer.weight_ih_l0, layer.weight_hh_l0))
    bias = (layer.bias_ih_l0 + layer.bias_hh_l0).detach().numpy()
    lstm.set_weights([kernel, recurrent_kernel, bias - np.repeat([0, 1, 0, 0], 5)])
    return lstm


def correct(layer):
    lstm = keras.layers.LSTM(5, unit_forget_bias=True, return_sequences=True)
    lstm.build((None, None, 4))
    kernel, recurrent_kernel = (array.detach().numpy().T for array in (layer.weight_ih_l0, layer.weight_hh_l0))
    bias = (layer.bias_ih_l0 + layer.bias_hh_l0).detach().numpy()
    lstm.set_weights([kernel, recurrent_kernel, bias])
    return lstm
