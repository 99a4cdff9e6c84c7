"""A loop over nn.GRUCell, filled with Keras's arrays in Keras's order of the gates."""

import keras
import numpy as np
import torch

MISTAKES = ("gates-permuted",)
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
    def swap(blocks):
        update, reset, candidate = np.split(blocks, 3, axis=-1)
        return torch.tensor(np.concatenate([update, reset, candidate], axis=-1))

    kernel, recurrent_kernel, (bias, recurrent_bias) = (swap(array) for array in layer.get_weights())
    cell = torch.nn.GRUCell(4, 5)
    arrays = (kernel.T, recurrent_kernel.T, bias, recurrent_bias)
    cell.load_state_dict(dict(zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), arrays)))

    def port(x):
        outputs = [x.new_zeros(len(x), 5)]
        for t in range(x.shape[1]):
            outputs.append(cell(x[:, t], outputs[-1]))
        return torch.stack(outputs[1:], dim=1)

    return port


def correct(layer):
    def swap(blocks):
        update, reset, candidate = np.split(blocks, 3, axis=-1)
        return torch.tensor(np.concatenate([reset, update, candidate], axis=-1))

    kernel, recurrent_kernel, (bias, recurrent_bias) = (swap(array) for array in layer.get_weights())
    cell = torch.nn.GRUCell(4, 5)
    arrays = (kernel.T, recurrent_kernel.T, bias, recurrent_bias)
    cell.load_state_dict(dict(zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), arrays)))

    def port(x):
        outputs = [x.new_zeros(len(x), 5)]
        for t in range(x.shape[1]):
            outputs.append(cell(x[:, t], outputs[-1]))
        return torch.stack(outputs[1:], dim=1)

    return port
