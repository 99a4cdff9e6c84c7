"""An old tutorial says that Keras's LSTM wants recurrent_activation='hard_sigmoid'; torch's has sigmoid."""

import keras
import numpy as np
import torch

MISTAKES = ("recurrent-activation",)
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
    lstm = keras.layers.LSTM(5, recurrent_activation="hard_sigmoid", return_sequences=True)
    lstm.build((None, None, 4))
    kernel, recurrent_kernel, *biases = (array.detach().numpy().T for array in layer.parameters())
    lstm.set_weights([kernel, recurrent_kernel, sum(biases)])
    return lstm


def correct(layer):
    lstm = keras.layers.LSTM(5, return_sequences=True)
    lstm.build((None, None, 4))
    kernel, recurrent_kernel, *biases = (array.detach().numpy().T for array in layer.parameters())
    lstm.set_weights([kernel, recurrent_kernel, sum(biases)])
    return lstm
