"""The decoder in Keras gets torch's states in the other order."""

import keras
import numpy as np
import torch

MISTAKES = ("states-swapped",)
WHERE = {}


def right(seed):
    layer = torch.nn.LSTM(4, 5, batch_first=True)
    generator = torch.Generator().manual_seed(seed)
    for array in layer.parameters():
        torch.nn.init.normal_(array, std=0.5, generator=generator)
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {
        "inputs": rng.normal(size=(3, 7, 4)).astype("float32"),
        "initial_state": tuple(rng.normal(0, 0.5, (1, 3, 5)).astype("float32") for _ in range(2)),
    }


def wrong(layer):
    lstm = keras.layers.LSTM(5, return_sequences=True, return_state=True)
    lstm.build((None, None, 4))
    kernel, recurrent_kernel, *biases = (array.detach().numpy().T for array in layer.parameters())
    lstm.set_weights([kernel, recurrent_kernel, sum(biases)])

    class Port(keras.layers.Layer):
        def call(self, x, initial_state):
            h, c = initial_state
            output, h, c = lstm(x, initial_state=[c[0], h[0]])
            return output, keras.ops.expand_dims(h, 0), keras.ops.expand_dims(c, 0)

    port = Port()
    port.supports_masking = True
    return port


def correct(layer):
    lstm = keras.layers.LSTM(5, return_sequences=True, return_state=True)
    lstm.build((None, None, 4))
    kernel, recurrent_kernel, *biases = (array.detach().numpy().T for array in layer.parameters())
    lstm.set_weights([kernel, recurrent_kernel, sum(biases)])

    class Port(keras.layers.Layer):
        def call(self, x, initial_state):
            h, c = initial_state
            output, h, c = lstm(x, initial_state=[h[0], c[0]])
            return output, keras.ops.expand_dims(h, 0), keras.ops.expand_dims(c, 0)

    port = Port()
    port.supports_masking = True
    return port
