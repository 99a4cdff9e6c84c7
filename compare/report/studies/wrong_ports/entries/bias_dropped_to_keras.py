"""Torch has two biases and Keras one, so the Keras layer was built without one."""

import keras
import numpy as np
import torch

MISTAKES = ("bias-dropped",)
WHERE = {"part": "bias"}


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
    lstm = keras.layers.LSTM(5, use_bias=False, return_sequences=True)
    lstm.build((None, None, 4))
    kernel, recurrent_kernel, bias, recurrent_bias = (array.detach().numpy() for array in layer.parameters())
    lstm.set_weights([kernel.T, recurrent_kernel.T])
    return lstm


def correct(layer):
    lstm = keras.layers.LSTM(5, use_bias=True, return_sequences=True)
    lstm.build((None, None, 4))
    kernel, recurrent_kernel, bias, recurrent_bias = (array.detach().numpy() for array in layer.parameters())
    lstm.set_weights([kernel.T, recurrent_kernel.T, bias + recurrent_bias])
    return lstm
