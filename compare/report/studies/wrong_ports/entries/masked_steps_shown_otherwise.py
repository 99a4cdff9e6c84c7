"""All valid steps agree; in the padding Keras repeats its last valid output and the port has zeros."""

import keras
import numpy as np
import torch

MISTAKES = ("masked-steps-shown-otherwise",)
WHERE = {}


def right(seed):
    layer = keras.layers.LSTM(5, return_sequences=True)
    layer.build((None, None, 4))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.5, array.shape) for array in layer.get_weights()])
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32"), "mask": np.arange(7) < np.array([[7], [4], [2]])}


def wrong(layer):
    kernel, recurrent_kernel, bias = map(torch.tensor, layer.get_weights())
    rnn = torch.nn.LSTM(4, 5, batch_first=True)
    arrays = (kernel.T, recurrent_kernel.T, bias, 0 * bias)
    rnn.load_state_dict(dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), arrays)))

    def port(x, mask):
        lengths = mask.sum(dim=1)
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        output, (h_n, _) = rnn(packed)
        output, _ = torch.nn.utils.rnn.pad_packed_sequence(output, batch_first=True)
        return output

    return port


def correct(layer):
    kernel, recurrent_kernel, bias = map(torch.tensor, layer.get_weights())
    rnn = torch.nn.LSTM(4, 5, batch_first=True)
    arrays = (kernel.T, recurrent_kernel.T, bias, 0 * bias)
    rnn.load_state_dict(dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), arrays)))

    def port(x, mask):
        lengths = mask.sum(dim=1)
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        output, (h_n, _) = rnn(packed)
        output, _ = torch.nn.utils.rnn.pad_packed_sequence(output, batch_first=True)
        return torch.where(mask[..., None], output, h_n[-1][:, None])

    return port
