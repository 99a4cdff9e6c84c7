"""The backward layer of the Keras Bidirectional got the arrays without _reverse."""

import keras
import numpy as np
import torch

MISTAKES = ("direction-repeated",)
WHERE = {"direction": 1}


def right(seed):
    layer = torch.nn.GRU(4, 5, batch_first=True, bidirectional=True)
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

    gru = keras.layers.Bidirectional(keras.layers.GRU(5, return_sequences=True))
    gru.build((None, None, 4))
    for one, suffix in ((gru.forward_layer, ""), (gru.backward_layer, "")):
        arrays = [swap(getattr(layer, f"{name}_l0{suffix}")) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        one.set_weights([arrays[0].T, arrays[1].T, np.stack(arrays[2:])])
    return gru


def correct(layer):
    def swap(array):  # reset, update, candidate -> update, reset, candidate
        reset, update, candidate = np.split(array.detach().numpy(), 3)
        return np.concatenate([update, reset, candidate])

    gru = keras.layers.Bidirectional(keras.layers.GRU(5, return_sequences=True))
    gru.build((None, None, 4))
    for one, suffix in ((gru.forward_layer, ""), (gru.backward_layer, "_reverse")):
        arrays = [swap(getattr(layer, f"{name}_l0{suffix}")) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        one.set_weights([arrays[0].T, arrays[1].T, np.stack(arrays[2:])])
    return gru
