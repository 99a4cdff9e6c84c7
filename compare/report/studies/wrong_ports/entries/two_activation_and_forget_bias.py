"""Old advice for Keras was followed twice: hard_sigmoid gates, and 1 added to the forget bias."""

import keras
import numpy as np
import torch

MISTAKES = ("recurrent-activation", "forget-bias-twice")
WHERE = {"forget-bias-twice": {"part": "bias", "gate": "forget"}}


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
    kernel, recurrent_kernel, bias, recurrent_bias = (array.detach().numpy().T for array in layer.parameters())
    bias = bias + recurrent_bias
    bias[5:10] += 1.0
    lstm.set_weights([kernel, recurrent_kernel, bias])
    return lstm


def correct(layer):
    lstm = keras.layers.LSTM(5, recurrent_activation="sigmoid", return_sequences=True)
    lstm.build((None, None, 4))
    kernel, recurrent_kernel, bias, recurrent_bias = (array.detach().numpy().T for array in layer.parameters())
    bias = bias + recurrent_bias
    lstm.set_weights([kernel, recurrent_kernel, bias])
    return lstm
