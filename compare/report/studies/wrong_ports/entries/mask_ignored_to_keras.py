"""The torch module gets packed sequences, the Keras layer the padded ones."""

import keras
import numpy as np
import torch

MISTAKES = ("mask-ignored",)
WHERE = {}


def right(seed):
    layer = torch.nn.LSTM(4, 5, batch_first=True)
    generator = torch.Generator().manual_seed(seed)
    for array in layer.parameters():
        torch.nn.init.normal_(array, std=0.5, generator=generator)
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32"), "mask": np.arange(7) < np.array([[7], [4], [2]])}


def wrong(layer):
    lstm = keras.layers.LSTM(5, zero_output_for_mask=True, return_sequences=True, return_state=True)
    lstm.build((None, None, 4))
    kernel, recurrent_kernel, *biases = (array.detach().numpy().T for array in layer.parameters())
    lstm.set_weights([kernel, recurrent_kernel, sum(biases)])

    class Port(keras.layers.Layer):
        def call(self, x, mask):
            output, h, c = lstm(x)
            return output, keras.ops.expand_dims(h, 0), keras.ops.expand_dims(c, 0)

    port = Port()
    port.supports_masking = True
    return port


def correct(layer):
    lstm = keras.layers.LSTM(5, zero_output_for_mask=True, return_sequences=True, return_state=True)
    lstm.build((None, None, 4))
    kernel, recurrent_kernel, *biases = (array.detach().numpy().T for array in layer.parameters())
    lstm.set_weights([kernel, recurrent_kernel, sum(biases)])

    class Port(keras.layers.Layer):
        def call(self, x, mask):
            output, h, c = lstm(x, mask=mask)
            return output, keras.ops.expand_dims(h, 0), keras.ops.expand_dims(c, 0)

    port = Port()
    port.supports_masking = True
    return port
