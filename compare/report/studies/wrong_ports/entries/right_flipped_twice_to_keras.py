"""It looks wrong and is right: the backward direction is a Keras layer with go_backwards=True, turned back."""

import keras
import numpy as np
import torch

MISTAKES = ()
RIGHT = True
WHERE = {}


def right(seed):
    layer = torch.nn.RNN(4, 5, batch_first=True, bidirectional=True)
    generator = torch.Generator().manual_seed(seed)
    for array in layer.parameters():
        torch.nn.init.normal_(array, std=0.5, generator=generator)
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32")}


def wrong(layer):
    forward, backward = (keras.layers.SimpleRNN(5, return_sequences=True, go_backwards=b) for b in (False, True))
    for rnn, arrays in ((forward, list(layer.parameters())[:4]), (backward, list(layer.parameters())[4:])):
        kernel, recurrent_kernel, bias, recurrent_bias = (array.detach().numpy().T for array in arrays)
        rnn.build((None, None, 4))
        rnn.set_weights([kernel, recurrent_kernel, bias + recurrent_bias])
    x = keras.Input((None, 4))
    f, b = forward(x), keras.ops.flip(backward(x), axis=1)
    h_n = keras.ops.stack([f[:, -1], b[:, 0]])
    return keras.Model(x, [keras.ops.concatenate([f, b], axis=-1), h_n])


def correct(layer):
    forward, backward = (keras.layers.SimpleRNN(5, return_sequences=True, go_backwards=b) for b in (False, True))
    for rnn, arrays in ((forward, list(layer.parameters())[:4]), (backward, list(layer.parameters())[4:])):
        kernel, recurrent_kernel, bias, recurrent_bias = (array.detach().numpy().T for array in arrays)
        rnn.build((None, None, 4))
        rnn.set_weights([kernel, recurrent_kernel, bias + recurrent_bias])
    x = keras.Input((None, 4))
    f, b = forward(x), keras.ops.flip(backward(x), axis=1)
    h_n = keras.ops.stack([f[:, -1], keras.ops.flip(b, axis=1)[:, -1]])
    return keras.Model(x, [keras.ops.concatenate([f, b], axis=-1), h_n])
