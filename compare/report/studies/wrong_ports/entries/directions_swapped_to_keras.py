"""The Keras Bidirectional got torch's _reverse arrays in its forward layer."""

import keras
import numpy as np
import torch

MISTAKES = ("directions-swapped",)
WHERE = {}


def right(seed):
    layer = torch.nn.LSTM(4, 5, batch_first=True, bidirectional=True)
    generator = torch.Generator().manual_seed(seed)
    for array in layer.parameters():
        torch.nn.init.normal_(array, std=0.5, generator=generator)
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32")}


def wrong(layer):
    lstm = keras.layers.Bidirectional(keras.layers.LSTM(5, return_sequences=True))
    lstm.build((None, None, 4))
    for one, suffix in ((lstm.forward_layer, "_reverse"), (lstm.backward_layer, "")):
        arrays = [getattr(layer, f"{name}_l0{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        kernel, recurrent_kernel, bias, recurrent_bias = (array.detach().numpy().T for array in arrays)
        one.set_weights([kernel, recurrent_kernel, bias + recurrent_bias])
    return lstm


def correct(layer):
    lstm = keras.layers.Bidirectional(keras.layers.LSTM(5, return_sequences=True))
    lstm.build((None, None, 4))
    for one, suffix in ((lstm.forward_layer, ""), (lstm.backward_layer, "_reverse")):
        arrays = [getattr(layer, f"{name}_l0{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        kernel, recurrent_kernel, bias, recurrent_bias = (array.detach().numpy().T for array in arrays)
        one.set_weights([kernel, recurrent_kernel, bias + recurrent_bias])
    return lstm
