"""The module takes the mask and does nothing with it; the backward half of every padded row is wrong."""

import keras
import numpy as np
import torch

MISTAKES = ("mask-ignored",)
WHERE = {}


def right(seed):
    layer = keras.layers.Bidirectional(keras.layers.LSTM(5))
    layer.build((None, None, 4))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.5, array.shape) for array in layer.get_weights()])
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32"), "mask": np.arange(7) < np.array([[7], [4], [2]])}


def wrong(layer):
    class Port(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = torch.nn.LSTM(4, 5, batch_first=True, bidirectional=True)

        def forward(self, x, mask):
            lengths = torch.full((len(x),), x.shape[1])
            packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            return torch.cat(tuple(self.rnn(packed)[1][0]), dim=-1)

    port = Port()
    for suffix, one in (("_l0", layer.forward_layer), ("_l0_reverse", layer.backward_layer)):
        kernel, recurrent_kernel, bias = map(torch.tensor, one.get_weights())
        arrays = {"weight_ih": kernel.T, "weight_hh": recurrent_kernel.T, "bias_ih": bias, "bias_hh": 0 * bias}
        port.rnn.load_state_dict({name + suffix: array for name, array in arrays.items()}, strict=False)
    return port


def correct(layer):
    class Port(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = torch.nn.LSTM(4, 5, batch_first=True, bidirectional=True)

        def forward(self, x, mask):
            lengths = mask.sum(dim=1)
            packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            return torch.cat(tuple(self.rnn(packed)[1][0]), dim=-1)

    port = Port()
    for suffix, one in (("_l0", layer.forward_layer), ("_l0_reverse", layer.backward_layer)):
        kernel, recurrent_kernel, bias = map(torch.tensor, one.get_weights())
        arrays = {"weight_ih": kernel.T, "weight_hh": recurrent_kernel.T, "bias_ih": bias, "bias_hh": 0 * bias}
        port.rnn.load_state_dict({name + suffix: array for name, array in arrays.items()}, strict=False)
    return port
