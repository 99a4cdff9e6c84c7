"""All valid steps agree; in the padding torch has zeros and Keras repeats its last valid output."""

import keras
import numpy as np
import torch

MISTAKES = ("masked-steps-shown-otherwise",)
WHERE = {}


def right(seed):
    layer = torch.nn.RNN(4, 5, batch_first=True)
    generator = torch.Generator().manual_seed(seed)
    for array in layer.parameters():
        torch.nn.init.normal_(array, std=0.5, generator=generator)
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32"), "mask": np.arange(7) < np.array([[7], [4], [2]])}


def wrong(layer):
    rnn = keras.layers.SimpleRNN(5, return_sequences=True, return_state=True)
    rnn.build((None, None, 4))
    kernel, recurrent_kernel, bias, recurrent_bias = (array.detach().numpy().T for array in layer.parameters())
    rnn.set_weights([kernel, recurrent_kernel, bias + recurrent_bias])

    class Port(keras.layers.Layer):
        def call(self, x, mask):
            output, h = rnn(x, mask=mask)
            zeroed = keras.ops.where(keras.ops.expand_dims(mask, -1), output, 0.0)
            return output, keras.ops.expand_dims(h, 0)

    port = Port()
    port.supports_masking = True
    return port


def correct(layer):
    rnn = keras.layers.SimpleRNN(5, return_sequences=True, return_state=True)
    rnn.build((None, None, 4))
    kernel, recurrent_kernel, bias, recurrent_bias = (array.detach().numpy().T for array in layer.parameters())
    rnn.set_weights([kernel, recurrent_kernel, bias + recurrent_bias])

    class Port(keras.layers.Layer):
        def call(self, x, mask):
            output, h = rnn(x, mask=mask)
            zeroed = keras.ops.where(keras.ops.expand_dims(mask, -1), output, 0.0)
            return zeroed, keras.ops.expand_dims(h, 0)

    port = Port()
    port.supports_masking = True
    return port
