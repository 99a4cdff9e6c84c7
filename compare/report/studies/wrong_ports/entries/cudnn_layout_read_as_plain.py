"""The arrays come from a file of CuDNNLSTM and have the shapes of a plain LSTM, but the results differ."""

import keras
import numpy as np
import torch

MISTAKES = ("cudnn-layout-read-as-plain",)
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
    kernel, recurrent_kernel, bias = layer.get_weights()  # as CuDNNLSTM saved them: each block transposed
    kernel = np.hstack([block.T.reshape(4, 5) for block in np.split(kernel, 4, axis=1)])
    recurrent_kernel = np.hstack([block.T for block in np.split(recurrent_kernel, 4, axis=1)])

    def plain(array, inputs):
        return array

    rnn = torch.nn.LSTM(4, 5, batch_first=True)
    with torch.no_grad():
        rnn.weight_ih_l0.copy_(torch.tensor(plain(kernel, 4).T))
        rnn.weight_hh_l0.copy_(torch.tensor(plain(recurrent_kernel, 5).T))
        rnn.bias_ih_l0.copy_(torch.tensor(bias))
        rnn.bias_hh_l0.zero_()
    return rnn


def correct(layer):
    kernel, recurrent_kernel, bias = layer.get_weights()  # as CuDNNLSTM saved them: each block transposed
    kernel = np.hstack([block.T.reshape(4, 5) for block in np.split(kernel, 4, axis=1)])
    recurrent_kernel = np.hstack([block.T for block in np.split(recurrent_kernel, 4, axis=1)])

    def plain(array, inputs):
        return np.hstack([block.reshape(5, inputs).T for block in np.split(array, 4, axis=1)])

    rnn = torch.nn.LSTM(4, 5, batch_first=True)
    with torch.no_grad():
        rnn.weight_ih_l0.copy_(torch.tensor(plain(kernel, 4).T))
        rnn.weight_hh_l0.copy_(torch.tensor(plain(recurrent_kernel, 5).T))
        rnn.bias_ih_l0.copy_(torch.tensor(bias))
        rnn.bias_hh_l0.zero_()
    return rnn
