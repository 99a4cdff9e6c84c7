"""The port keeps its state at valid steps and updates it in the padding, as for a mask that is True at padding."""

import keras
import numpy as np
import torch

MISTAKES = ("mask-inverted",)
WHERE = {}


def right(seed):
    layer = keras.layers.SimpleRNN(5, return_sequences=True)
    layer.build((None, None, 4))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.5, array.shape) for array in layer.get_weights()])
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {
        "inputs": rng.normal(size=(3, 7, 4)).astype("float32"),
        "mask": np.array([[1, 1, 1, 1, 1, 1, 1], [1, 1, 0, 1, 0, 1, 0], [0, 1, 1, 0, 1, 0, 0]], bool),
    }


def wrong(layer):
    kernel, recurrent_kernel, bias = map(torch.tensor, layer.get_weights())

    def port(x, mask):
        h, outputs = x.new_zeros(len(x), 5), []
        for t in range(x.shape[1]):
            new = torch.tanh(x[:, t] @ kernel + h @ recurrent_kernel + bias)
            h = torch.where(mask[:, t, None], h, new)
            outputs.append(h)
        return torch.stack(outputs, dim=1)

    return port


def correct(layer):
    kernel, recurrent_kernel, bias = map(torch.tensor, layer.get_weights())

    def port(x, mask):
        h, outputs = x.new_zeros(len(x), 5), []
        for t in range(x.shape[1]):
            new = torch.tanh(x[:, t] @ kernel + h @ recurrent_kernel + bias)
            h = torch.where(mask[:, t, None], new, h)
            outputs.append(h)
        return torch.stack(outputs, dim=1)

    return port
