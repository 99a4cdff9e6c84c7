"""Keras and torch have different numbers of biases, so the port was built without any."""

import keras
import numpy as np
import torch

MISTAKES = ("bias-dropped",)
WHERE = {"part": "bias"}


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
    kernel, recurrent_kernel, bias = layer.get_weights()
    rnn = torch.nn.LSTM(4, 5, bias=False, batch_first=True)
    weights = {"weight_ih_l0": torch.tensor(kernel.T), "weight_hh_l0": torch.tensor(recurrent_kernel.T)}
    rnn.load_state_dict(weights)
    return rnn


def correct(layer):
    kernel, recurrent_kernel, bias = layer.get_weights()
    rnn = torch.nn.LSTM(4, 5, batch_first=True)
    weights = {"weight_ih_l0": torch.tensor(kernel.T), "weight_hh_l0": torch.tensor(recurrent_kernel.T)}
    weights |= {"bias_ih_l0": torch.tensor(bias), "bias_hh_l0": torch.zeros(20)}
    rnn.load_state_dict(weights)
    return rnn
