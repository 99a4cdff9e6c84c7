"""A line was copied and one of its numbers was not changed: layer 1 has the recurrent kernel of layer 0."""

import keras
import numpy as np
import torch

MISTAKES = ("from-another-layer",)
WHERE = {"layer": 1, "part": "recurrent kernel"}


def right(seed):
    layer = torch.nn.LSTM(4, 4, num_layers=2, batch_first=True)
    generator = torch.Generator().manual_seed(seed)
    for array in layer.parameters():
        torch.nn.init.normal_(array, std=0.5, generator=generator)
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32")}


def wrong(layer):
    stack = keras.Sequential([keras.layers.LSTM(4, return_sequences=True) for _ in range(2)])
    stack.build((None, None, 4))
    arrays = {name: array.detach().numpy() for name, array in layer.named_parameters()}
    bias_0, bias_1 = (arrays[f"bias_ih_l{n}"] + arrays[f"bias_hh_l{n}"] for n in (0, 1))
    stack.layers[0].set_weights([arrays["weight_ih_l0"].T, arrays["weight_hh_l0"].T, bias_0])
    stack.layers[1].set_weights([arrays["weight_ih_l1"].T, arrays["weight_hh_l0"].T, bias_1])
    return stack


def correct(layer):
    stack = keras.Sequential([keras.layers.LSTM(4, return_sequences=True) for _ in range(2)])
    stack.build((None, None, 4))
    arrays = {name: array.detach().numpy() for name, array in layer.named_parameters()}
    bias_0, bias_1 = (arrays[f"bias_ih_l{n}"] + arrays[f"bias_hh_l{n}"] for n in (0, 1))
    stack.layers[0].set_weights([arrays["weight_ih_l0"].T, arrays["weight_hh_l0"].T, bias_0])
    stack.layers[1].set_weights([arrays["weight_ih_l1"].T, arrays["weight_hh_l1"].T, bias_1])
    return stack
