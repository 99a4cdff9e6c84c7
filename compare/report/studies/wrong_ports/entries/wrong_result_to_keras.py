"""The Keras port returns its last output where torch's h_n was used, whose backward half ends at the first step."""

import keras
import numpy as np
import torch

MISTAKES = ("wrong-result",)
WHERE = {"result": 1}


def right(seed):
    layer = torch.nn.GRU(4, 5, batch_first=True, bidirectional=True)
    generator = torch.Generator().manual_seed(seed)
    for array in layer.parameters():
        torch.nn.init.normal_(array, std=0.5, generator=generator)
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32")}


def wrong(layer):
    def swap(array):  # reset, update, candidate -> update, reset, candidate
        reset, update, candidate = np.split(array.detach().numpy(), 3)
        return np.concatenate([update, reset, candidate])

    gru = keras.layers.Bidirectional(keras.layers.GRU(5, return_sequences=True))
    gru.build((None, None, 4))
    arrays = [swap(array) for array in layer.parameters()]
    gru.set_weights([a for k, u, *b in (arrays[:4], arrays[4:]) for a in (k.T, u.T, np.stack(b))])

    def port(x):
        output = gru(x)
        return output, keras.ops.stack([output[:, -1, :5], output[:, -1, 5:]])

    x = keras.Input((None, 4))
    return keras.Model(x, port(x))


def correct(layer):
    def swap(array):  # reset, update, candidate -> update, reset, candidate
        reset, update, candidate = np.split(array.detach().numpy(), 3)
        return np.concatenate([update, reset, candidate])

    gru = keras.layers.Bidirectional(keras.layers.GRU(5, return_sequences=True))
    gru.build((None, None, 4))
    arrays = [swap(array) for array in layer.parameters()]
    gru.set_weights([a for k, u, *b in (arrays[:4], arrays[4:]) for a in (k.T, u.T, np.stack(b))])

    def port(x):
        output = gru(x)
        return output, keras.ops.stack([output[:, -1, :5], output[:, 0, 5:]])

    x = keras.Input((None, 4))
    return keras.Model(x, port(x))
