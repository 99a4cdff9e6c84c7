"""The GRU was written with reset_after=False; the port applies the reset gate after the product, as nn.GRU does."""

import keras
import numpy as np
import torch

MISTAKES = ("reset-after",)
WHERE = {}


def right(seed):
    layer = keras.layers.GRU(5, reset_after=False, return_sequences=True)
    layer.build((None, None, 4))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.5, array.shape) for array in layer.get_weights()])
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32")}


def wrong(layer):
    kernel, recurrent_kernel, bias = map(torch.tensor, layer.get_weights())

    def port(x):
        h, outputs = x.new_zeros(len(x), 5), []
        for t in range(x.shape[1]):
            x_z, x_r, x_n = (x[:, t] @ kernel + bias).chunk(3, dim=-1)
            u_z, u_r, u_n = recurrent_kernel.chunk(3, dim=-1)
            z, r = torch.sigmoid(x_z + h @ u_z), torch.sigmoid(x_r + h @ u_r)
            n = torch.tanh(x_n + r * (h @ u_n))
            h = z * h + (1 - z) * n
            outputs.append(h)
        return torch.stack(outputs, dim=1)

    return port


def correct(layer):
    kernel, recurrent_kernel, bias = map(torch.tensor, layer.get_weights())

    def port(x):
        h, outputs = x.new_zeros(len(x), 5), []
        for t in range(x.shape[1]):
            x_z, x_r, x_n = (x[:, t] @ kernel + bias).chunk(3, dim=-1)
            u_z, u_r, u_n = recurrent_kernel.chunk(3, dim=-1)
            z, r = torch.sigmoid(x_z + h @ u_z), torch.sigmoid(x_r + h @ u_r)
            n = torch.tanh(x_n + (r * h) @ u_n)
            h = z * h + (1 - z) * n
            outputs.append(h)
        return torch.stack(outputs, dim=1)

    return port
