"""The forward half is right, the backward half is not: both directions were filled by a loop over one layer."""

import keras
import numpy as np
import torch

MISTAKES = ("direction-repeated",)
WHERE = {"direction": 1}


def right(seed):
    layer = keras.layers.Bidirectional(keras.layers.LSTM(5, return_sequences=True))
    layer.build((None, None, 4))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.5, array.shape) for array in layer.get_weights()])
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32")}


def wrong(layer):
    rnn = torch.nn.LSTM(4, 5, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for suffix, one in (("", layer.forward_layer), ("_reverse", layer.forward_layer)):
            kernel, recurrent_kernel, bias = one.get_weights()
            getattr(rnn, f"weight_ih_l0{suffix}").copy_(torch.tensor(kernel.T))
            getattr(rnn, f"weight_hh_l0{suffix}").copy_(torch.tensor(recurrent_kernel.T))
            getattr(rnn, f"bias_ih_l0{suffix}").copy_(torch.tensor(bias))
            getattr(rnn, f"bias_hh_l0{suffix}").zero_()
    return rnn


def correct(layer):
    rnn = torch.nn.LSTM(4, 5, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for suffix, one in (("", layer.forward_layer), ("_reverse", layer.backward_layer)):
            kernel, recurrent_kernel, bias = one.get_weights()
            getattr(rnn, f"weight_ih_l0{suffix}").copy_(torch.tensor(kernel.T))
            getattr(rnn, f"weight_hh_l0{suffix}").copy_(torch.tensor(recurrent_kernel.T))
            getattr(rnn, f"bias_ih_l0{suffix}").copy_(torch.tensor(bias))
            getattr(rnn, f"bias_hh_l0{suffix}").zero_()
    return rnn
