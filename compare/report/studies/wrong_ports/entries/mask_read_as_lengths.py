"""The sequences are padded on the left; packing by length keeps the padding and cuts off their ends."""

import keras
import numpy as np
import torch

MISTAKES = ("mask-read-as-lengths",)
WHERE = {}


def right(seed):
    layer = keras.layers.LSTM(5)
    layer.build((None, None, 4))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.5, array.shape) for array in layer.get_weights()])
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32"), "mask": np.arange(7) >= np.array([[0], [3], [5]])}


def wrong(layer):
    kernel, recurrent_kernel, bias = map(torch.tensor, layer.get_weights())
    rnn = torch.nn.LSTM(4, 5, batch_first=True)
    arrays = (kernel.T, recurrent_kernel.T, bias, 0 * bias)
    rnn.load_state_dict(dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), arrays)))

    def port(x, mask):
        lengths = mask.sum(dim=1)
        valid_first = torch.stack([row.roll(int(n), dims=0) for row, n in zip(x, lengths)])
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return rnn(packed)[1][0][-1]

    return port


def correct(layer):
    kernel, recurrent_kernel, bias = map(torch.tensor, layer.get_weights())
    rnn = torch.nn.LSTM(4, 5, batch_first=True)
    arrays = (kernel.T, recurrent_kernel.T, bias, 0 * bias)
    rnn.load_state_dict(dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), arrays)))

    def port(x, mask):
        lengths = mask.sum(dim=1)
        valid_first = torch.stack([row.roll(int(n), dims=0) for row, n in zip(x, lengths)])
        packed = torch.nn.utils.rnn.pack_padded_sequence(valid_first, lengths, batch_first=True, enforce_sorted=False)
        return rnn(packed)[1][0][-1]

    return port
