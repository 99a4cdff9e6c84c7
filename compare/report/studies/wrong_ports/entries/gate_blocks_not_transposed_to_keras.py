"""The four blocks were put side by side for Keras, each as torch has it; only the first step is right."""

import keras
import numpy as np
import torch

MISTAKES = ("gate-blocks-not-transposed",)
WHERE = {"part": "recurrent kernel"}


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
    kernel, recurrent_kernel, bias, recurrent_bias = (array.detach().numpy() for array in layer.parameters())
    blocks = np.hstack(np.split(recurrent_kernel, 4))
    lstm.set_weights([kernel.T, blocks, bias + recurrent_bias])
    return lstm


def correct(layer):
    lstm = keras.layers.LSTM(5, return_sequences=True)
    lstm.build((None, None, 4))
    kernel, recurrent_kernel, bias, recurrent_bias = (array.detach().numpy() for array in layer.parameters())
    blocks = np.hstack([block.T for block in np.split(recurrent_kernel, 4)])
    lstm.set_weights([kernel.T, blocks, bias + recurrent_bias])
    return lstm
