"""The model was saved with model.half(), and the Keras layer agrees to three digits."""

import keras
import numpy as np
import torch

MISTAKES = ("rounded",)
WHERE = {}


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
    saved = {name: array.half() for name, array in layer.state_dict().items()}
    kernel, recurrent_kernel, bias, recurrent_bias = (array.float().numpy() for array in saved.values())
    lstm.set_weights([kernel.T, recurrent_kernel.T, bias + recurrent_bias])
    return lstm


def correct(layer):
    lstm = keras.layers.LSTM(5, return_sequences=True)
    lstm.build((None, None, 4))
    saved = layer.state_dict()
    kernel, recurrent_kernel, bias, recurrent_bias = (array.float().numpy() for array in saved.values())
    lstm.set_weights([kernel.T, recurrent_kernel.T, bias + recurrent_bias])
    return lstm
