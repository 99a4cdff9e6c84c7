"""Only the forward layer got the mask; the backward half of every padded row is wrong."""

import keras
import numpy as np
import torch

MISTAKES = ("mask-ignored-backwards",)
WHERE = {}


def right(seed):
    layer = torch.nn.LSTM(4, 5, batch_first=True, bidirectional=True)
    generator = torch.Generator().manual_seed(seed)
    for array in layer.parameters():
        torch.nn.init.normal_(array, std=0.5, generator=generator)
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32"), "mask": np.arange(7) < np.array([[7], [4], [2]])}


def wrong(layer):
    forward, backward = (
        keras.layers.LSTM(5, return_sequences=True, return_state=True, zero_output_for_mask=True, go_backwards=backwards)
        for backwards in (False, True)
    )
    for lstm, arrays in ((forward, list(layer.parameters())[:4]), (backward, list(layer.parameters())[4:])):
        kernel, recurrent_kernel, bias, recurrent_bias = (array.detach().numpy().T for array in arrays)
        lstm.build((None, None, 4))
        lstm.set_weights([kernel, recurrent_kernel, bias + recurrent_bias])

    class Port(keras.layers.Layer):
        def call(self, x, mask):
            (f, *f_n), (b, *b_n) = forward(x, mask=mask), backward(x, mask=None)
            b = keras.ops.where(keras.ops.expand_dims(mask, -1), keras.ops.flip(b, axis=1), 0.0)
            return keras.ops.concatenate([f, b], axis=-1), *(keras.ops.stack(pair) for pair in zip(f_n, b_n))

    port = Port()
    port.supports_masking = True
    return port


def correct(layer):
    forward, backward = (
        keras.layers.LSTM(5, return_sequences=True, return_state=True, zero_output_for_mask=True, go_backwards=backwards)
        for backwards in (False, True)
    )
    for lstm, arrays in ((forward, list(layer.parameters())[:4]), (backward, list(layer.parameters())[4:])):
        kernel, recurrent_kernel, bias, recurrent_bias = (array.detach().numpy().T for array in arrays)
        lstm.build((None, None, 4))
        lstm.set_weights([kernel, recurrent_kernel, bias + recurrent_bias])

    class Port(keras.layers.Layer):
        def call(self, x, mask):
            (f, *f_n), (b, *b_n) = forward(x, mask=mask), backward(x, mask=mask)
            b = keras.ops.where(keras.ops.expand_dims(mask, -1), keras.ops.flip(b, axis=1), 0.0)
            return keras.ops.concatenate([f, b], axis=-1), *(keras.ops.stack(pair) for pair in zip(f_n, b_n))

    port = Port()
    port.supports_masking = True
    return port
