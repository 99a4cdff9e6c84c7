"""The second layer of the Keras stack was never given its weights."""

import keras
import numpy as np
import torch

MISTAKES = ("not-copied",)
WHERE = {"layer": 1}


def right(seed):
    layer = torch.nn.RNN(4, 4, num_layers=2, batch_first=True)
    generator = torch.Generator().manual_seed(seed)
    for array in layer.parameters():
        torch.nn.init.normal_(array, std=0.5, generator=generator)
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32")}


def wrong(layer):
    stack = keras.Sequential([keras.layers.SimpleRNN(4, return_sequences=True) for _ in range(2)])
    stack.build((None, None, 4))
    for number, one in enumerate(stack.layers[:1]):
        arrays = [getattr(layer, f"{name}_l{number}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        kernel, recurrent_kernel, bias, recurrent_bias = (array.detach().numpy().T for array in arrays)
        one.set_weights([kernel, recurrent_kernel, bias + recurrent_bias])
    return stack


def correct(layer):
    stack = keras.Sequential([keras.layers.SimpleRNN(4, return_sequences=True) for _ in range(2)])
    stack.build((None, None, 4))
    for number, one in enumerate(stack.layers[:2]):
        arrays = [getattr(layer, f"{name}_l{number}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        kernel, recurrent_kernel, bias, recurrent_bias = (array.detach().numpy().T for array in arrays)
        one.set_weights([kernel, recurrent_kernel, bias + recurrent_bias])
    return stack
