"""The mask is True at padding, as torch's transformers have it; Keras wants True at valid steps."""

import keras
import numpy as np
import torch

MISTAKES = ("mask-inverted",)
WHERE = {}


def right(seed):
    layer = torch.nn.GRU(4, 5, batch_first=True)
    generator = torch.Generator().manual_seed(seed)
    for array in layer.parameters():
        torch.nn.init.normal_(array, std=0.5, generator=generator)
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32"), "mask": np.arange(7) < np.array([[7], [4], [2]])}


def wrong(layer):
    def swap(array):  # reset, update, candidate -> update, reset, candidate
        reset, update, candidate = np.split(array.detach().numpy(), 3)
        return np.concatenate([update, reset, candidate])

    gru = keras.layers.GRU(5, zero_output_for_mask=True, return_sequences=True, return_state=True)
    gru.build((None, None, 4))
    biases = np.stack([swap(layer.bias_ih_l0), swap(layer.bias_hh_l0)])
    gru.set_weights([swap(layer.weight_ih_l0).T, swap(layer.weight_hh_l0).T, biases])

    class Port(keras.layers.Layer):
        def call(self, x, mask):
            output, h = gru(x, mask=~mask)
            return output, keras.ops.expand_dims(h, 0)

    port = Port()
    port.supports_masking = True
    return port


def correct(layer):
    def swap(array):  # reset, update, candidate -> update, reset, candidate
        reset, update, candidate = np.split(array.detach().numpy(), 3)
        return np.concatenate([update, reset, candidate])

    gru = keras.layers.GRU(5, zero_output_for_mask=True, return_sequences=True, return_state=True)
    gru.build((None, None, 4))
    biases = np.stack([swap(layer.bias_ih_l0), swap(layer.bias_hh_l0)])
    gru.set_weights([swap(layer.weight_ih_l0).T, swap(layer.weight_hh_l0).T, biases])

    class Port(keras.layers.Layer):
        def call(self, x, mask):
            output, h = gru(x, mask=mask)
            return output, keras.ops.expand_dims(h, 0)

    port = Port()
    port.supports_masking = True
    return port
