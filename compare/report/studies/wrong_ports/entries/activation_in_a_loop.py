"""The Keras LSTM has activation='relu'; the loop in torch uses tanh in both of its places."""

import keras
import numpy as np
import torch

MISTAKES = ("activation",)
WHERE = {}


def right(seed):
    layer = keras.layers.LSTM(5, activation="relu", return_sequences=True)
    layer.build((None, None, 4))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.3, array.shape) for array in layer.get_weights()])
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32")}


def wrong(layer):
    kernel, recurrent_kernel, bias = map(torch.tensor, layer.get_weights())

    def port(x):
        h = c = x.new_zeros(len(x), 5)
        outputs = []
        for t in range(x.shape[1]):
            i, f, g, o = (x[:, t] @ kernel + h @ recurrent_kernel + bias).chunk(4, dim=-1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs, dim=1)

    return port


def correct(layer):
    kernel, recurrent_kernel, bias = map(torch.tensor, layer.get_weights())

    def port(x):
        h = c = x.new_zeros(len(x), 5)
        outputs = []
        for t in range(x.shape[1]):
            i, f, g, o = (x[:, t] @ kernel + h @ recurrent_kernel + bias).chunk(4, dim=-1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.relu(g)
            h = torch.sigmoid(o) * torch.relu(c)
            outputs.append(h)
        return torch.stack(outputs, dim=1)

    return port
