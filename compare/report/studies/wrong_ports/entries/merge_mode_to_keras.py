"""The Keras port adds its two directions, and the layer after it gets half of the features."""

import keras
import numpy as np
import torch

MISTAKES = ("merge-mode",)
WHERE = {"result": 0}


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
    forward, backward = (
        keras.layers.LSTM(5, return_sequences=True, return_state=True, go_backwards=backwards) for backwards in (False, True)
    )
    for lstm, arrays in ((forward, list(layer.parameters())[:4]), (backward, list(layer.parameters())[4:])):
        kernel, recurrent_kernel, bias, recurrent_bias = (array.detach().numpy().T for array in arrays)
        lstm.build((None, None, 4))
        lstm.set_weights([kernel, recurrent_kernel, bias + recurrent_bias])
    x = keras.Input((None, 4))
    (f, *f_n), (b, *b_n) = forward(x), backward(x)
    b = keras.ops.flip(b, axis=1)
    output = f + b
    return keras.Model(x, [output, *(keras.ops.stack(pair) for pair in zip(f_n, b_n))])


def correct(layer):
    forward, backward = (
        keras.layers.LSTM(5, return_sequences=True, return_state=True, go_backwards=backwards) for backwards in (False, True)
    )
    for lstm, arrays in ((forward, list(layer.parameters())[:4]), (backward, list(layer.parameters())[4:])):
        kernel, recurrent_kernel, bias, recurrent_bias = (array.detach().numpy().T for array in arrays)
        lstm.build((None, None, 4))
        lstm.set_weights([kernel, recurrent_kernel, bias + recurrent_bias])
    x = keras.Input((None, 4))
    (f, *f_n), (b, *b_n) = forward(x), backward(x)
    b = keras.ops.flip(b, axis=1)
    output = keras.ops.concatenate([f, b], axis=-1)
    return keras.Model(x, [output, *(keras.ops.stack(pair) for pair in zip(f_n, b_n))])
