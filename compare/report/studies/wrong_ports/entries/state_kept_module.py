"""The module stores its states in forward, and the second batch starts where the first one ended."""

import keras
import numpy as np
import torch

MISTAKES = ("state-kept",)
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
    class Port(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = torch.nn.LSTM(4, 5, batch_first=True)
            self.states = None

        def forward(self, x):
            output, self.states = self.rnn(x, self.states)
            return output

    port = Port()
    kernel, recurrent_kernel, bias = map(torch.tensor, layer.get_weights())
    arrays = (kernel.T, recurrent_kernel.T, bias, 0 * bias)
    port.rnn.load_state_dict(dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), arrays)))
    return port


def correct(layer):
    class Port(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = torch.nn.LSTM(4, 5, batch_first=True)
            self.states = None

        def forward(self, x):
            output, self.states = self.rnn(x, None)
            return output

    port = Port()
    kernel, recurrent_kernel, bias = map(torch.tensor, layer.get_weights())
    arrays = (kernel.T, recurrent_kernel.T, bias, 0 * bias)
    port.rnn.load_state_dict(dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), arrays)))
    return port
