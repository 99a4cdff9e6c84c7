"""The initial states of the two directions were stacked in the wrong order."""

import keras
import numpy as np
import torch

MISTAKES = ("state-directions-swapped",)
WHERE = {}


def right(seed):
    layer = keras.layers.Bidirectional(keras.layers.LSTM(5, return_sequences=True))
    layer.build((None, None, 4))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.5, array.shape) for array in layer.get_weights()])
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {
        "inputs": rng.normal(size=(3, 7, 4)).astype("float32"),
        "initial_state": [rng.normal(0, 0.5, (3, 5)).astype("float32") for _ in range(4)],
    }


def wrong(layer):
    rnn = torch.nn.LSTM(4, 5, batch_first=True, bidirectional=True)
    for suffix, one in (("_l0", layer.forward_layer), ("_l0_reverse", layer.backward_layer)):
        kernel, recurrent_kernel, bias = map(torch.tensor, one.get_weights())
        arrays = (kernel.T, recurrent_kernel.T, bias, 0 * bias)
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        rnn.load_state_dict({name + suffix: array for name, array in zip(names, arrays)}, strict=False)

    def port(x, initial_state):
        h_forward, c_forward, h_backward, c_backward = initial_state
        h_0 = torch.stack((h_backward, h_forward))
        c_0 = torch.stack((c_backward, c_forward))
        return rnn(x, (h_0, c_0))[0]

    return port


def correct(layer):
    rnn = torch.nn.LSTM(4, 5, batch_first=True, bidirectional=True)
    for suffix, one in (("_l0", layer.forward_layer), ("_l0_reverse", layer.backward_layer)):
        kernel, recurrent_kernel, bias = map(torch.tensor, one.get_weights())
        arrays = (kernel.T, recurrent_kernel.T, bias, 0 * bias)
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        rnn.load_state_dict({name + suffix: array for name, array in zip(names, arrays)}, strict=False)

    def port(x, initial_state):
        h_forward, c_forward, h_backward, c_backward = initial_state
        h_0 = torch.stack((h_forward, h_backward))
        c_0 = torch.stack((c_forward, c_backward))
        return rnn(x, (h_0, c_0))[0]

    return port
