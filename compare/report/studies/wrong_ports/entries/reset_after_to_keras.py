"""The Keras GRU was built with reset_after=False, because that has one bias a gate, the sum of torch's two."""

import keras
import numpy as np
import torch

MISTAKES = ("reset-after",)
WHERE = {}


def right(seed):
    layer = torch.nn.GRU(4, 5, batch_first=True)
    generator = torch.Generator().manual_seed(seed)
    for array in layer.parameters():
        torch.nn.init.normal_(array, std=0.5, generator=generator)
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32")}


def wrong(layer):
    def swap(array):  # reset, update, candidate -> update, reset, candidate
        reset, update, candidate = np.split(array.detach().numpy(), 3)
        return np.concatenate([update, reset, candidate])

    gru = keras.layers.GRU(5, reset_after=False, return_sequences=True)
    gru.build((None, None, 4))
    biases = np.stack([swap(layer.bias_ih_l0), swap(layer.bias_hh_l0)]).sum(axis=0)
    gru.set_weights([swap(layer.weight_ih_l0).T, swap(layer.weight_hh_l0).T, biases])
    return gru


def correct(layer):
    def swap(array):  # reset, update, candidate -> update, reset, candidate
        reset, update, candidate = np.split(array.detach().numpy(), 3)
        return np.concatenate([update, reset, candidate])

    gru = keras.layers.GRU(5, reset_after=True, return_sequences=True)
    gru.build((None, None, 4))
    biases = np.stack([swap(layer.bias_ih_l0), swap(layer.bias_hh_l0)])
    gru.set_weights([swap(layer.weight_ih_l0).T, swap(layer.weight_hh_l0).T, biases])
    return gru
