"""The Keras port clips its outputs at 0.5, as the model did for which it was written first."""

import keras
import numpy as np
import torch

MISTAKES = ()
RIGHT = False
WHERE = {}


def right(seed):
    layer = torch.nn.LSTM(4, 5, batch_first=True)
    generator = torch.Generator().manual_seed(seed)
    for array in layer.parameters():
        torch.nn.init.normal_(array, std=0.5, generator=generator)
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32")}


def wrong(layer):
    lstm = keras.layers.LSTM(5, return_sequences=True, return_state=True)
    lstm.build((None, None, 4))
    kernel, recurrent_kernel, *biases = (array.detach().numpy().T for array in layer.parameters())
    lstm.set_weights([kernel, recurrent_kernel, sum(biases)])
    x = keras.Input((None, 4))
    output, h, c = lstm(x)
    return keras.Model(x, [keras.ops.clip(output, -0.5, 0.5), keras.ops.expand_dims(h, 0), keras.ops.expand_dims(c, 0)])


def correct(layer):
    lstm = keras.layers.LSTM(5, return_sequences=True, return_state=True)
    lstm.build((None, None, 4))
    kernel, recurrent_kernel, *biases = (array.detach().numpy().T for array in layer.parameters())
    lstm.set_weights([kernel, recurrent_kernel, sum(biases)])
    x = keras.Input((None, 4))
    output, h, c = lstm(x)
    return keras.Model(x, [output, keras.ops.expand_dims(h, 0), keras.ops.expand_dims(c, 0)])
