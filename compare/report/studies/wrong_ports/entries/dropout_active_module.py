"""Two calls of the module with the same data differ, and neither call agrees with predict()."""

import keras
import numpy as np
import torch

MISTAKES = ("dropout-active",)
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
            self.dropout = torch.nn.Dropout(0.5)

        def forward(self, x):
            return self.rnn(self.dropout(x))[0]

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
            self.dropout = torch.nn.Dropout(0.5)

        def forward(self, x):
            return self.rnn(self.dropout(x))[0]

    port = Port()
    kernel, recurrent_kernel, bias = map(torch.tensor, layer.get_weights())
    arrays = (kernel.T, recurrent_kernel.T, bias, 0 * bias)
    port.rnn.load_state_dict(dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), arrays)))
    return port.eval()
