"""The loop over nn.LSTMCell does not pass the states on: each step starts from zeros."""

import keras
import numpy as np
import torch

MISTAKES = ()
RIGHT = False
WHERE = {}


def right(seed):
    layer = keras.layers.LSTM(5, return_sequences=True)
    layer.build((None, None, 4))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.5, array.shape) for array in layer.get_weights()])
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32")}


def wrong(layer):
    kernel, recurrent_kernel, bias = map(torch.tensor, layer.get_weights())
    cell = torch.nn.LSTMCell(4, 5)
    arrays = (kernel.T, recurrent_kernel.T, bias, 0 * bias)
    cell.load_state_dict(dict(zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), arrays)))

    def port(x):
        states, outputs = None, []
        for t in range(x.shape[1]):
            states = cell(x[:, t], None)
            outputs.append(states[0])
        return torch.stack(outputs, dim=1)

    return port


def correct(layer):
    kernel, recurrent_kernel, bias = map(torch.tensor, layer.get_weights())
    cell = torch.nn.LSTMCell(4, 5)
    arrays = (kernel.T, recurrent_kernel.T, bias, 0 * bias)
    cell.load_state_dict(dict(zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), arrays)))

    def port(x):
        states, outputs = None, []
        for t in range(x.shape[1]):
            states = cell(x[:, t], states)
            outputs.append(states[0])
        return torch.stack(outputs, dim=1)

    return port
