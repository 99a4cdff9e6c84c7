"""It looks wrong and is right: 1 - sigmoid(a) is written as sigmoid(-a)."""

import keras
import numpy as np
import torch

MISTAKES = ()
RIGHT = True
WHERE = {}


def right(seed):
    layer = keras.layers.GRU(5, return_sequences=True)
    layer.build((None, None, 4))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.5, array.shape) for array in layer.get_weights()])
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32")}


def wrong(layer):
    kernel, recurrent_kernel, (bias, recurrent_bias) = (torch.tensor(array) for array in layer.get_weights())

    def port(x):
        h, outputs = x.new_zeros(len(x), 5), []
        for t in range(x.shape[1]):
            x_z, x_r, x_n = (x[:, t] @ kernel + bias).chunk(3, dim=-1)
            h_z, h_r, h_n = (h @ recurrent_kernel + recurrent_bias).chunk(3, dim=-1)
            n = torch.tanh(x_n + torch.sigmoid(x_r + h_r) * h_n)
            h = h + torch.sigmoid(-x_z - h_z) * (n - h)
            outputs.append(h)
        return torch.stack(outputs, dim=1)

    return port


def correct(layer):
    kernel, recurrent_kernel, (bias, recurrent_bias) = (torch.tensor(array) for array in layer.get_weights())

    def port(x):
        h, outputs = x.new_zeros(len(x), 5), []
        for t in range(x.shape[1]):
            x_z, x_r, x_n = (x[:, t] @ kernel + bias).chunk(3, dim=-1)
            h_z, h_r, h_n = (h @ recurrent_kernel + recurrent_bias).chunk(3, dim=-1)
            n = torch.tanh(x_n + torch.sigmoid(x_r + h_r) * h_n)
            h = h + torch.sigmoid(-(x_z + h_z)) * (n - h)
            outputs.append(h)
        return torch.stack(outputs, dim=1)

    return port
