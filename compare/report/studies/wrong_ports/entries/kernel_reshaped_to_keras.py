"""The torch kernel was brought into the shape that Keras expects, but its numbers are scrambled."""

import keras
import numpy as np
import torch

MISTAKES = ("kernel-reshaped",)
WHERE = {"part": "kernel"}


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
    lstm = keras.layers.LSTM(5, return_sequences=True)
    lstm.build((None, None, 4))
    kernel = layer.weight_ih_l0.detach().numpy().reshape(4, 20)
    recurrent_kernel = layer.weight_hh_l0.detach().numpy().T
    bias = (layer.bias_ih_l0 + layer.bias_hh_l0).detach().numpy()
    lstm.set_weights([kernel, recurrent_kernel, bias])
    return lstm


def correct(layer):
    lstm = keras.layers.LSTM(5, return_sequences=True)
    lstm.build((None, None, 4))
    kernel = layer.weight_ih_l0.detach().numpy().T
    recurrent_kernel = layer.weight_hh_l0.detach().numpy().T
    bias = (layer.bias_ih_l0 + layer.bias_hh_l0).detach().numpy()
    lstm.set_weights([kernel, recurrent_kernel, bias])
    return lstm
